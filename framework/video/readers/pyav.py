"""Reads with PyAV (FFmpeg): every codec FFmpeg knows, exact frame times, flat memory.

Jumps to a key frame when that saves decoding; frames are recognised by their presentation time, never by counting, so
that a jump cannot shift them. Measured on two cores: memory grows by 3-5 MiB and stays there; a frame costs .11-.16 ms
at 56x56, .9 ms at 480x270 and 4.5-8 ms at 1920x1080 (H.264).
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import av
import numpy as np
import torch
from av.container import InputContainer
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from torch import Tensor

from framework.video.container import open_container
from framework.video.errors import VideoError
from framework.video.packets import AGAIN, PacketTable, packets
from framework.video.readers.base import Reader

log = logging.getLogger(__name__)
JUMP_FRAMES = 16  # a jump empties the decoder's pipeline: not worth it for less


@dataclass(frozen=True)
class PyAVReader(Reader):
    """Decodes with PyAV. `threads`: decoding threads of one file, 0 = FFmpeg's choice."""

    threads: int

    def decode(self, path: str, frames: Sequence[int]) -> Generator[tuple[int, Tensor], None, None]:
        """Yields (frame number, picture u8 [3, H, W]) for each of `frames`; see `Reader.decode`."""
        return self.resume(path, frames, 0)

    def resume(self, path: str, frames: Sequence[int], done: int) -> Generator[tuple[int, Tensor], None, None]:
        """Yields what `decode` does, for frames[done:]; the earlier ones were read by another reader."""
        turns = self.checked(path, frames).quarter_turns
        convert = VideoReformatter()  # keeps its tables: a new one per frame costs more than decoding a small frame
        why, damaged = "the stream ends before it", False
        try:
            for at, picture in self._pictures(path, packets(path), frames[done:]):
                if at != frames[done]:
                    why = "the decoder leaves it out"
                    break
                if picture.is_corrupt and not damaged:
                    damaged = True
                    log.warning("%s: frame %d is damaged; the decoder filled in what it could", path, at)
                pixels = np.rot90(convert.reformat(picture, format="rgb24").to_ndarray(), turns)
                yield at, torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)
                done += 1
        except av.error.FFmpegError as error:
            why = error.strerror or str(error)
        if done < len(frames):
            found = f"frame {frames[done]} cannot be decoded ({why}), after {done} of {len(frames)} wanted frames"
            raise VideoError(path, found, AGAIN)

    def _pictures(self, path: str, table: PacketTable, frames: Sequence[int]) -> Iterator[tuple[int, av.VideoFrame]]:
        """The wanted pictures, up to the first that is missing: the picture after it is the last one given."""
        with self._opened(path) as (container, stream):
            for key, run in _runs(table, frames):
                if not (yield from _read(container, stream, table, key, run)):
                    log.info("%s: no jump to key frame %d; reading the file from its start", path, key)
                    with self._opened(path) as (fresh, fresh_stream):
                        yield from _read(fresh, fresh_stream, table, 0, run)

    @contextmanager
    def _opened(self, path: str) -> Iterator[tuple[InputContainer, VideoStream]]:
        with open_container(path) as (container, stream):
            stream.thread_type = "AUTO"
            stream.codec_context.thread_count = self.threads
            yield container, stream


def _runs(table: PacketTable, frames: Sequence[int]) -> list[tuple[int, list[int]]]:
    """Splits `frames` where a jump pays: (key frame to start from, frames to read from there on); key frame 0 is the
    file's start."""
    keys = np.flatnonzero(table.keyframe)
    places = np.searchsorted(keys, frames, side="right") - 1
    runs: list[tuple[int, list[int]]] = [(0, [])]
    at = 0
    for frame, place in zip(frames, places, strict=True):
        key = int(keys[place]) if place >= 0 else 0
        if key > at + JUMP_FRAMES:
            runs.append((key, []))
        runs[-1][1].append(frame)
        at = frame
    return [run for run in runs if run[1]]


def _read(
    container: InputContainer, stream: VideoStream, table: PacketTable, key: int, run: list[int]
) -> Generator[tuple[int, av.VideoFrame], None, bool]:
    """Yields the pictures of `run`; returns False, without a picture, if the jump to `key` landed behind it."""
    if key > 0:
        container.seek(int(table.stamps[key]), stream=stream)
    done, first = 0, True
    for picture in container.decode(stream):
        stamp = picture.dts if picture.pts is None else picture.pts
        if stamp is None:
            continue
        at = int(np.searchsorted(table.stamps, stamp))
        if first and key > 0 and at > key:
            return False
        first = False
        if at >= run[done]:
            yield at, picture
            done += 1
        if done == len(run):
            break
    return True
