"""`~` at the beginning of a path."""

from __future__ import annotations

from pathlib import Path

import pytest

from framework.core.errors import UsageError
from framework.core.home import at_home


def test_it_is_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert at_home("~/films", "root") == tmp_path / "films"
    assert at_home(Path("films/~a"), "root") == Path("films/~a")


def test_a_user_that_there_is_not() -> None:
    with pytest.raises(UsageError, match=r"^root: got '~no one/films', but nobody's home folder is '~no one'; write"):
        at_home("~no one/films", "root")
