"""Says in words that a disk is full, or that a folder cannot be written."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path

from framework.core.errors import RunError, UsageError

FULL = (errno.ENOSPC, errno.EDQUOT)
CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS)


def is_full(error: BaseException) -> bool:
    """Says whether an error means that a disk is full."""
    return isinstance(error, OSError) and error.errno in FULL


def disk_error(error: BaseException, folder: Path) -> RunError | UsageError | None:
    """Explains an error of the disk of a command that writes into `folder`; None for any other error.

    The cause of an error counts as the error itself.
    """
    if not isinstance(error, OSError):
        return disk_error(error.__cause__, folder) if error.__cause__ is not None else None
    if is_full(error):
        return RunError(f"no space left on the disk: {_free(folder)}. Make room; the same command goes on")
    if error.errno in CLOSED and error.filename is not None:
        return UsageError(
            f"{error.filename} cannot be read or written ({error.strerror}); expected one that this command may use, "
            "and for its results a folder that it may write (key: hydra.run.dir)"
        )
    return None


def _free(folder: Path) -> str:
    """The bytes free where results go, and where temporary files go if that is another disk."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    places = {os.stat(place).st_dev: place for place in (Path(tempfile.gettempdir()), there)}
    return ", ".join(f"{shutil.disk_usage(place).free} bytes free in {place}" for place in reversed(places.values()))
