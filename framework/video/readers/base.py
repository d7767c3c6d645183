"""What every reader offers: facts about a file, and its frames in file order. Knows no library that decodes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from itertools import pairwise

from torch import Tensor

from framework.core.errors import UsageError
from framework.video.container import MAX_PICTURE_PIXELS, Limits
from framework.video.info import VideoInfo, inspect


class Reader(ABC):
    """Defines a way to decode video files.

    A reader holds settings only: one may serve many files and many threads. `threads`: decoding threads of one file,
    0 = the library's choice. `max_picture_pixels`: files with larger pictures are refused. `allow_playlists`: lists
    that name other local files are read as one film. Raises UsageError for values out of range.
    """

    threads: int
    max_picture_pixels: int = MAX_PICTURE_PIXELS
    allow_playlists: bool = False

    def __post_init__(self) -> None:
        for key, value, least in (("threads", self.threads, 0), ("max_picture_pixels", self.max_picture_pixels, 1)):
            if value < least:
                raise UsageError(f"reader.{key} must be >= {least}, got {value}")

    @property
    def limits(self) -> Limits:
        """Returns what this reader refuses."""
        return Limits(self.max_picture_pixels, self.allow_playlists)

    def info(self, path: str) -> VideoInfo:
        """Returns facts about the file, the same for every reader. Raises VideoError if it is no usable video."""
        return inspect(path, self.limits)

    @abstractmethod
    def decode(
        self, path: str, frames: Sequence[int], damaged: set[int] | None = None
    ) -> Generator[tuple[int, Tensor], None, None]:
        """Yields (frame number, picture u8 [3, H, W]) for each of `frames`, which ascend strictly.

        Pictures are mirrored and turned the way the file asks, and have the pixels that are stored. So their size may
        differ from that in `info`, where pixels are not square, and from one another. Frames come one by one in bounded
        memory; closing the iterator frees everything. Raises VideoError naming the first frame that cannot be decoded;
        no frame is ever given twice in its place.

        `damaged` is a set of the caller's. The number of a picture that was decoded from damaged data, its own or that
        of frames it refers to, is put there before the picture is given. It stays empty where the library that
        decodes does not tell.
        """

    def checked(self, path: str, frames: Sequence[int]) -> VideoInfo:
        """Returns the file's facts, after a check that `frames` ascend and exist. Raises ValueError if not."""
        info = self.info(path)
        if any(b <= a for a, b in pairwise(frames)):
            raise ValueError("frame numbers must ascend without duplicates")
        if len(frames) and not 0 <= frames[0] <= frames[-1] < info.frames:
            raise ValueError(
                f"frames {frames[0]}..{frames[-1]} were asked of {path}, which has frames 0..{info.frames - 1}"
            )
        return info
