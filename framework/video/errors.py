"""The one error of video files."""

from __future__ import annotations

from framework.core.errors import UsageError


class VideoError(UsageError):
    """Says which file cannot be used as a video, what was found and what was expected."""

    def __init__(self, path: str, found: str, expected: str) -> None:
        super().__init__(f"video={path}: {found}. {expected}")
        self.path = path
