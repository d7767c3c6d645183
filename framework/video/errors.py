"""The one error of video files. Knows nothing of containers or codecs."""

from __future__ import annotations

from framework.core.errors import UsageError


class VideoError(UsageError):
    """A file cannot be used as a video: says which file, what was found, what was expected."""

    def __init__(self, path: str, found: str, expected: str) -> None:
        super().__init__(f"video={path}: {found}. {expected}")
        self.path = path
