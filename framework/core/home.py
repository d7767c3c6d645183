"""Paths as people type them: `~` is a home folder."""

from __future__ import annotations

import os
from pathlib import Path

from framework.core.errors import UsageError


def at_home(path: str | os.PathLike[str], key: str) -> Path:
    """Returns the path with `~` or `~NAME` at its beginning replaced by that home folder.

    Raises UsageError that names `key` where there is no such folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UsageError(
            f"{key}: got {str(path)!r}, but nobody's home folder is {Path(path).parts[0]!r}; write the whole path"
        ) from error
