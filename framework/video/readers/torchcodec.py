"""Reads with torchcodec, which is not installed by default. Knows nothing of the other readers.

torchcodec finds frames by number in an index of the whole file, so jumps are exact. It needs FFmpeg's shared libraries.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from framework.errors import UsageError
from framework.video.errors import VideoError
from framework.video.packets import AGAIN
from framework.video.readers.base import Reader


@dataclass(frozen=True)
class TorchCodecReader(Reader):
    """`threads`: decoding threads of one file, 0 = FFmpeg's choice."""

    threads: int

    def __post_init__(self) -> None:
        decoder_class()

    def decode(self, path: str, frames: Sequence[int]) -> Generator[tuple[int, Tensor], None, None]:
        """See `Reader.decode`."""
        info = self.checked(path, frames)
        decoder = decoder_class()(path, dimension_order="NCHW", num_ffmpeg_threads=self.threads, seek_mode="exact")
        if len(decoder) != info.frames:
            found = f"torchcodec counts {len(decoder)} frames, the packets {info.frames}"
            raise VideoError(path, found, "Choose reader=pyav")
        for done, frame in enumerate(frames):
            try:
                picture = decoder[frame]
            except RuntimeError as error:
                found = f"frame {frame} cannot be decoded ({error}), after {done} of {len(frames)} wanted frames"
                raise VideoError(path, found, AGAIN) from error
            if picture.shape[1:] != (info.height, info.width):
                picture = torch.rot90(picture, info.quarter_turns, (1, 2))
            yield frame, picture


def decoder_class() -> Any:
    """The class VideoDecoder of torchcodec; UsageError if it is not installed or cannot load FFmpeg."""
    try:
        from torchcodec.decoders import VideoDecoder
    except ImportError as error:
        hint = "pip install 'tokensieve[torchcodec]', or choose reader=decord or reader=pyav"
        raise UsageError(f"reader=torchcodec needs the package torchcodec, which is not installed: {hint}") from error
    except (RuntimeError, OSError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UsageError(
            f"reader=torchcodec: torchcodec cannot load FFmpeg's libraries ({reason}); choose reader=pyav"
        ) from error
    return VideoDecoder
