"""A file is whole or absent, and what killed processes left goes with the next one that is written."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from framework.core.unfinished import unfinished


def gone() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_file_is_whole_or_absent(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), unfinished(tmp_path / "deep" / "a.mp4") as part:
        part.write_bytes(b"half")
        raise ZeroDivisionError
    assert not list((tmp_path / "deep").iterdir())
    with unfinished(tmp_path / "deep" / "a.mp4") as part:
        part.write_bytes(b"whole")
        assert not (tmp_path / "deep" / "a.mp4").exists()
    assert {file.name: file.read_bytes() for file in (tmp_path / "deep").iterdir()} == {"a.mp4": b"whole"}


def test_parts_of_processes_that_are_gone_are_removed(tmp_path: Path) -> None:
    dead, elsewhere = gone(), gone()
    kept = [f".c.mp4.{os.getppid()}.part", f".d.mp4.{elsewhere}0.part", "b.part", ".run.json.part"]
    for name in (f".b.mp4.{dead}.part", *kept):
        (tmp_path / name).write_bytes(b"half")
    with open(tmp_path / kept[1], "rb") as held:  # a process of another machine
        fcntl.flock(held, fcntl.LOCK_EX)
        with unfinished(tmp_path / "a.mp4") as part:
            part.write_bytes(b"whole")
        assert sorted(file.name for file in tmp_path.iterdir()) == sorted(["a.mp4", *kept])
    with unfinished(tmp_path / "a.mp4") as part:
        part.write_bytes(b"whole")
    assert not (tmp_path / kept[1]).exists()
