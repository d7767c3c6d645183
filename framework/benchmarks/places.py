"""Where the files of a benchmark lie. Loads no torch."""

from __future__ import annotations

from pathlib import Path

from framework.core.errors import UsageError
from framework.core.home import at_home


def existing_folder(root: str | Path | None, key: str, name: str) -> Path:
    """Returns the folder of the benchmark `name`. Raises UsageError where `key` names none that is there."""
    if root is None:
        raise UsageError(f"{name} is read from files: say where, {key}=FOLDER")
    if not (folder := at_home(root, key)).is_dir():
        raise UsageError(f"{key}={root}: no such folder; expected the files of {name}")
    return folder


def existing_file(file: str | Path | None, key: str, name: str) -> Path:
    """Returns the file of the benchmark `name`. Raises UsageError where `key` names none that is there."""
    if file is None:
        raise UsageError(f"{name} is read from a file of your own: say which, {key}=FILE")
    if not (found := at_home(file, key)).is_file():
        raise UsageError(f"{key}={file}: no such file; expected one JSON object per line")
    return found
