"""One writer per run folder: a lock that lasts as long as the processes of the run, however they end.

The kernel releases it with the last of them. So it never has to be removed by hand.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO

from framework.core.errors import UsageError
from framework.evaluation.distributed import World

FILE = ".lock"  # it stays in the folder, with the name of its last holder
_UNABLE = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # file systems without locks
_log = logging.getLogger(__name__)


@contextmanager
def hold(folder: Path, world: World | None = None) -> Iterator[None]:
    """Holds the folder for the processes of this run while the block lasts.

    All of them share it: it is free when the last one has ended. Raises UsageError, which names the holder, where
    another run holds it.
    """
    world = world or World()
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / FILE, "a+", encoding="utf-8") as file:
        if world.first:
            _take(file, fcntl.LOCK_EX)
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()} since {datetime.now():%Y-%m-%d %H:%M:%S}\n")
            file.flush()
            if world.size > 1:
                _take(file, fcntl.LOCK_SH)  # now the others may come in, and still no other run
        world.barrier()
        if not world.first:
            _take(file, fcntl.LOCK_SH)
        yield


def check_free(folder: Path) -> None:
    """Raises UsageError where another run holds the folder."""
    with hold(folder):
        pass


def _take(file: IO[str], kind: int) -> None:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.seek(0)
        raise UsageError(
            f"{Path(file.name).parent} is being written by another run: {file.read().strip() or 'just begun'}; wait "
            "until it ends, or choose another folder (key: hydra.run.dir)"
        ) from error
    except OSError as error:
        if error.errno not in _UNABLE:
            raise
        _log.warning("%s cannot be locked here (%s): see to it that one run at a time writes there", file.name, error)
