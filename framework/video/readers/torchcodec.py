"""Reads with torchcodec, which is not installed by default.

torchcodec finds frames by number in an index of the whole file, so jumps are exact. It needs FFmpeg's shared libraries.
Tried by hand: 0.12.0 beside torch 2.13 for CPU and FFmpeg 8 gives the pictures of PyAV to the bit on every clip of
tests/data/video and the same error on the broken one; the wheels of 0.16 and 0.17 in the package index want NVIDIA's
libraries.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from framework.core.errors import UsageError
from framework.video.container import MAX_PICTURE_PIXELS
from framework.video.demux import AGAIN
from framework.video.errors import VideoError
from framework.video.readers.base import Reader


@dataclass(frozen=True)
class TorchCodecReader(Reader):
    """Decodes with torchcodec. `threads`: decoding threads of one file, 0 = FFmpeg's choice.

    Raises UsageError at once if torchcodec cannot be used.
    """

    threads: int
    max_picture_pixels: int = MAX_PICTURE_PIXELS

    def __post_init__(self) -> None:
        super().__post_init__()
        decoder_class()

    def decode(
        self, path: str, frames: Sequence[int], damaged: set[int] | None = None
    ) -> Generator[tuple[int, Tensor], None, None]:
        """Yields (frame number, picture u8 [3, H, W]) for each of `frames`; see `Reader.decode`."""
        info = self.checked(path, frames)
        if info.mirrored:
            raise VideoError(path, "its pictures are mirrored, which torchcodec does not do", "Choose reader=pyav")
        decoder = decoder_class()(info.path, dimension_order="NCHW", num_ffmpeg_threads=self.threads, seek_mode="exact")
        if len(decoder) != info.frames:
            found = f"torchcodec counts {len(decoder)} frames, the packets {info.frames}"
            raise VideoError(path, found, "Choose reader=pyav")
        for done, frame in enumerate(frames):
            try:
                picture = decoder[frame]
            except RuntimeError as error:
                reason = str(error).partition("\n")[0]
                found = f"frame {frame} cannot be decoded ({reason}), after {done} of {len(frames)} wanted frames"
                raise VideoError(path, found, AGAIN) from error
            if picture.shape[1:] != info.decoded:
                found = f"this torchcodec ignores the file's rotation: it makes frames of {tuple(picture.shape[1:])}"
                raise VideoError(path, found, "Choose reader=pyav, or torchcodec 0.12 or later")
            yield frame, picture


def decoder_class() -> Any:
    """Returns the class VideoDecoder of torchcodec.

    Raises UsageError if it is not installed or cannot load FFmpeg.
    """
    try:
        from torchcodec.decoders import VideoDecoder
    except ImportError as error:
        hint = "pip install 'tokensieve[torchcodec]', or choose reader=decord or reader=pyav"
        raise UsageError(f"reader=torchcodec needs the package torchcodec, which is not installed: {hint}") from error
    except (RuntimeError, OSError) as error:
        reason = str(error.__cause__ or error).strip().partition("\n")[0]
        hint = "it needs FFmpeg's shared libraries and, unless built for CPU, NVIDIA's; or choose reader=pyav"
        raise UsageError(
            f"reader=torchcodec: torchcodec is installed but cannot be loaded ({reason}): {hint}"
        ) from error
    return VideoDecoder
