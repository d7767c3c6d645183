"""Reads with decord. What decord cannot be trusted with goes to PyAV, with one log line.

Measured with decord 0.6.0 on two cores:
* Its pictures equal those of PyAV to the bit (H.264, HEVC, MPEG-4, VP8, VP9); one costs .13-.15 ms at 56x56, 1.0 ms at
  480x270 and 7-8 ms at 1920x1080 (PyAV as set up here: .11-.16, .9 and 4.5-8).
* It decodes ahead of a slow consumer without bound: after 200 frames read at 30 ms each it held 540 MiB at 480x270, 2.6
  GiB at 1920x1080. Reopening it now and then does not help, because it runs ahead again at once. At worst it holds the
  whole file decoded, so it is used where that fits into `file_bytes`; PyAV, whose memory stays flat, reads longer or
  larger files.
* It repeats frames in place of lost ones without a word, unless told to tolerate none: here that is an error.
* After a jump it gives wrong pictures in HEVC with open GOPs, in H.264 whose key frames are recovery points and in AVI,
  and it fails in MPEG-TS: PyAV reads those, and whatever has more than one clock or frames without a time.
* It does not tell which pictures are damaged. So FFmpeg decodes the file once, and PyAV reads what is not whole.
If it fails half way, PyAV goes on from that frame, and says what is wrong if the file is to blame.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from framework.video.container import MAX_PICTURE_PIXELS
from framework.video.demux import AGAIN
from framework.video.errors import VideoError
from framework.video.info import VideoInfo
from framework.video.packets import packets
from framework.video.playback import is_damaged
from framework.video.readers.base import Reader
from framework.video.readers.pyav import PyAVReader

log = logging.getLogger(__name__)
SOURCE_LINE = re.compile(r"\[[\d:]+\] \S+: ")  # "[12:00:00] /some/file.cc:83: " before decord's messages
TRUSTED = {"mov", "mp4", "matroska", "webm"}


@dataclass(frozen=True)
class DecordReader(Reader):
    """Decodes with decord, and with PyAV what decord cannot be trusted with.

    `threads`: decoding threads, 0 = decord's choice. `file_bytes`: how large a file, decoded, may be for decord.
    """

    threads: int
    file_bytes: int
    max_picture_pixels: int = MAX_PICTURE_PIXELS
    allow_playlists: bool = False

    def decode(
        self, path: str, frames: Sequence[int], damaged: set[int] | None = None
    ) -> Generator[tuple[int, Tensor], None, None]:
        """Yields (frame number, picture u8 [3, H, W]) for each of `frames`; see `Reader.decode`."""
        info = self.checked(path, frames)
        trouble = self._distrust(path, info)
        done = 0
        if not trouble:
            pictures = self._pictures(info, frames)
            while not trouble and done < len(frames):
                try:
                    picture = next(pictures)
                except _Trouble as error:
                    trouble = str(error)
                else:
                    yield frames[done], picture
                    done += 1
        if done < len(frames):
            log.info("%s: PyAV reads it instead of decord from frame %d on: %s", path, frames[done], trouble)
            reader = PyAVReader(self.threads, self.max_picture_pixels, self.allow_playlists)
            yield from reader.resume(path, frames, done, damaged)

    def _distrust(self, path: str, info: VideoInfo) -> str:
        """Why decord must not read the file; empty if it may."""
        table = packets(path, self.limits)
        decoded_bytes = info.frames * info.height * info.width * 3
        if decoded_bytes > self.file_bytes:
            return (
                f"decord might hold all of its {decoded_bytes} bytes of pictures (reader.file_bytes={self.file_bytes})"
            )
        if not TRUSTED & set(table.container.split(",")):
            return f"decord misplaces frames in {table.container}"
        if info.mirrored:
            return "decord mirrors no pictures"
        if table.counted:
            return "decord needs a time of its own for every frame, on one clock"
        if table.damaged.any():
            return "decord does not tell which frames are damaged"
        if table.recovery_points:
            return "decord misplaces frames after a key frame from which the decoder has to recover"
        if table.open_gops:
            return "decord misplaces frames in open GOPs"
        return "decord does not tell which frames are damaged" if is_damaged(path, self.limits) else ""

    def _pictures(self, info: VideoInfo, frames: Sequence[int]) -> Generator[Tensor, None, None]:
        try:
            import decord
        except ImportError as error:
            raise _Trouble(f"decord is not installed ({error})") from error
        frame = -1
        decord.logging.set_level(decord.logging.QUIET)
        try:
            video = decord.VideoReader(info.path, num_threads=self.threads, fault_tol=1)
            if len(video) != info.frames:
                raise _Trouble(f"decord counts {len(video)} frames, the packets {info.frames}")
            for frame in frames:
                picture = torch.from_numpy(video[frame].asnumpy()).permute(2, 0, 1)
                if picture.shape != (3, *info.decoded):
                    raise _Trouble(f"decord makes frame {frame} {tuple(picture.shape)}")
                yield picture
        except decord.DECORDLimitReachedError as error:
            found = f"decord lost frames somewhere before frame {frame} and would repeat others in their place"
            raise VideoError(info.path, found, f"reader=pyav says which; or: {AGAIN.lower()}") from error
        except (decord.DECORDError, RuntimeError, IndexError, UnicodeEncodeError) as error:
            raise _Trouble(SOURCE_LINE.sub("", str(error).partition("\n")[0])) from error


class _Trouble(Exception):
    """Decord cannot go on; the message says why."""
