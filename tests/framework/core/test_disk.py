"""Errors of a disk in words; others stay as they are."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

from framework.core.disk import disk_error, is_full
from framework.core.errors import RunError, UsageError


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_names_the_folder_and_the_bytes(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda place: shutil._ntuple_diskusage(100, 93, 7))  # type: ignore[attr-defined]
    found = disk_error(OSError(number, "full"), tmp_path / "not" / "there")
    assert isinstance(found, RunError) and f"7 bytes free in {tmp_path}" in str(found)
    assert is_full(OSError(number, "full")) and not is_full(OSError(errno.EIO, "no"))


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EPERM])
def test_a_closed_folder_names_the_file_even_as_a_cause(number: int, tmp_path: Path) -> None:
    error = ValueError("Unable to configure handler 'file'")
    error.__cause__ = OSError(number, "closed", "eval.log")
    found = disk_error(error, tmp_path)
    assert isinstance(found, UsageError) and "eval.log cannot be read or written (closed)" in str(found)


def test_other_errors_are_not_explained(tmp_path: Path) -> None:
    assert disk_error(KeyError("x"), tmp_path) is None and disk_error(OSError(errno.EIO, "no"), tmp_path) is None
