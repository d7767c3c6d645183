"""The peak of a run in a process of its own."""

from __future__ import annotations

import subprocess

import pytest

from framework.profiling import fit_process
from framework.profiling.fit_process import of_process, resident

linux = pytest.mark.skipif(not fit_process.STATUS.is_file(), reason="only Linux says what a process uses")


@linux
def test_what_is_resident_grows_with_what_is_written() -> None:
    before, size = resident("VmHWM"), 2**26
    held = bytearray(b"1" * size)
    assert resident("VmRSS") >= len(held) and resident("VmHWM") >= before


@linux
def test_a_process_of_its_own() -> None:
    """The lab model again, on more frames: some megabytes more than the process has already."""
    assert 0 <= of_process(["preset=adapttoken", "backbone=lab"], 24, (112, 112), 2, 8) < 2**29


@pytest.mark.parametrize(
    ("said", "last"), [("Traceback\nOSError: no disk\n", "OSError: no disk"), ("", "it was killed")]
)
def test_a_process_that_fails(said: str, last: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 9, "", said))
    with pytest.raises(RuntimeError, match=rf"^the process that was to be measured failed \(9\): {last}$"):
        of_process([], 8, (56, 56), 1, 1)
