"""Room for frames that wait: RAM first, then a file without a name."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.video.spool import Spool


def item(number: int) -> torch.Tensor:
    return torch.full((3, 4, 5), number, dtype=torch.uint8)


@settings(max_examples=40, deadline=None)
@given(order=st.permutations(range(12)), in_ram=st.integers(0, 12))
def test_what_goes_in_comes_out(order: list[int], in_ram: int) -> None:
    spool = Spool((3, 4, 5), in_ram * 60, 12)
    for number in range(12):
        spool.put(number, item(number))
        if number % 3 == 2:  # room is used again
            spool.drop(number - 1)
            spool.put(number - 1, item(number - 1))
    for number in order:
        assert torch.equal(spool.get(number), item(number))
        spool.drop(number)
        assert number not in spool
    assert len(spool) == 0
    spool.close()


def test_the_file_appears_only_beyond_the_limit() -> None:
    spool = Spool((3, 4, 5), 2 * 60, 10)
    for number in range(2):
        spool.put(number, item(number))
    assert spool.file_bytes == 0
    spool.put(2, item(2))
    assert spool.file_bytes > 0
    spool.close()
    spool.close()


def test_no_file_is_left_behind_whatever_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    spool = Spool((3, 4, 5), 0, 10)
    spool.put(0, item(7))
    assert list(tmp_path.iterdir()) == []  # no name already while it is in use
    assert torch.equal(spool.get(0), item(7))
    spool.close()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    spool = Spool((3, 4, 5), 0, 10)
    with pytest.raises(OSError, match=r"has no room .* set TMPDIR"):
        spool.put(0, item(0))
    spool.close()
