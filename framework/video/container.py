"""Opens a video file with PyAV, so that whatever is wrong with it becomes one VideoError."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from framework.video.errors import VideoError

EXPECTED = "Expected a local video file, e.g. .mp4, .mkv, .webm, .mov"


@contextmanager
def open_container(path: str) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Opens the file and yields the container and its best video stream; both are closed at the end.

    Raises VideoError if there is no such thing.
    """
    check_file(path)
    try:
        container = av.open(path)
    except (av.error.FFmpegError, OSError) as error:
        found = f"this is no video, or its header is damaged or cut off ({error.strerror or error})"
        raise VideoError(path, found, EXPECTED + ", complete") from error
    with container:
        stream = container.streams.best("video")
        if stream is None or av.stream.Disposition.attached_pic in stream.disposition:
            kinds = ", ".join(sorted({s.type for s in container.streams})) or "no stream at all"
            raise VideoError(path, f"the file holds no moving picture, only: {kinds}", EXPECTED)
        if stream.codec_context is None:
            raise VideoError(path, "its codec is unknown to the installed PyAV", "Convert it, e.g. to H.264 in .mp4")
        yield container, stream


def check_file(path: str) -> None:
    """Raises VideoError unless `path` is a regular file that may be read and is not empty.

    It never opens the file, because a named pipe would block.
    """
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        hint = "; addresses are not fetched, download the file first" if "://" in path else ""
        reason = getattr(error, "strerror", None) or str(error)
        raise VideoError(path, f"it cannot be read ({reason}{hint})", EXPECTED) from error
    if stat.S_ISDIR(status.st_mode):
        raise VideoError(path, "this is a folder", EXPECTED)
    if not stat.S_ISREG(status.st_mode):
        raise VideoError(path, "this is no regular file", EXPECTED)
    if status.st_size == 0:
        raise VideoError(path, "the file is empty (0 bytes)", EXPECTED)
    if not os.access(path, os.R_OK):
        raise VideoError(path, "the file may not be read (permissions)", EXPECTED)
