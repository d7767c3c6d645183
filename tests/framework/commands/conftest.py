"""`sieve doctor` as a command, in a folder of the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.singleton import Singleton

from framework.cli import main

Ran = tuple[int, str]


@pytest.fixture
def doctor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Ran]]:
    """`doctor("benchmark=...")` in an empty folder: exit status, and what it wrote to both outputs."""
    monkeypatch.chdir(tmp_path)
    before = Singleton.get_state()

    def call(*words: str) -> Ran:
        GlobalHydra.instance().clear()
        capsys.readouterr()
        status = 0
        try:
            main(["doctor", "reader=pyav", *words])
        except SystemExit as leaving:
            status = int(leaving.code or 0)
        written = capsys.readouterr()
        return status, written.out + written.err

    yield call
    Singleton.set_state(before)
