"""Files that appear under their names only when they are complete, in folders that many processes write into."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PART = re.compile(r"\..+\.(\d+)\.part")


@contextmanager
def unfinished(file: Path) -> Iterator[Path]:
    """Gives a path beside `file` to write to; what is written takes the place of `file` when the block ends well.

    What killed processes left unfinished in the folder is removed.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    clear(file.parent)
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as held:
            with suppress(OSError):  # a file system without locks
                fcntl.flock(held, fcntl.LOCK_EX)
            yield part
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def clear(folder: Path) -> None:
    """Removes the unfinished files of processes that are gone.

    A process of another machine holds a lock on its file, so the file is left alone.
    """
    for part in folder.glob(".*.part"):
        found = _PART.fullmatch(part.name)
        if found and not _runs(int(found.group(1))):
            with suppress(OSError), open(part, "rb+") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                part.unlink()


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
