"""Files and folders that are complete under their names, or absent: a kill leaves the ones before, or none."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def complete_file(file: Path) -> Iterator[Path]:
    """Gives a path beside `file` to write to; what is written takes the place of `file` when the block ends well."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.part")
    yield part
    part.replace(file)


@contextmanager
def complete_folder(folder: Path) -> Iterator[Path]:
    """Gives a new folder beside `folder`, which takes its place when the block ends well; a failed one is removed."""
    part, before = (folder.with_name(f".{folder.name}.{kind}") for kind in ("part", "before"))
    for left_over in (part, before):
        shutil.rmtree(left_over, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    if folder.exists():
        folder.replace(before)
    part.replace(folder)
    shutil.rmtree(before, ignore_errors=True)
