"""Opens a video file with PyAV, so that whatever is wrong with it becomes one VideoError.

Only the file itself is read. FFmpeg would take a name such as `12:30.mp4` for an address, and follow a playlist to
other files. So a file is opened by its absolute path, and formats that name other files are refused unopened. Where
playlists are allowed, they may name local files and nothing else.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import av
from av.codec.context import Flags
from av.container import InputContainer
from av.video.stream import VideoStream

from framework.video.errors import VideoError

EXPECTED = "Expected a local video file, e.g. .mp4, .mkv, .webm, .mov"
# Formats whose pictures lie in other files or come over a network. `image2` reads all files that a pattern names.
REFERRING = {"avisynth", "concat", "dash", "hls", "image2", "imf", "lavfi", "rtp", "rtsp", "sap", "sdp"}
REFERRING |= {"vapoursynth", "webm_dash_manifest"}
PLAYLISTS = {"concat", "dash", "hls"}  # those of REFERRING whose pictures may all lie in local files
UNFINISHED = {"live_start_index": "0", "max_reload": "1"}  # an open-ended hls list: from its start on, without waiting
ONE_THREAD_PIXELS = 2**25  # an 8K picture is smaller; every decoding thread holds pictures of its own
MAX_PICTURE_PIXELS = 2**27  # of one picture, 16 times 4K; its bytes are three times as many


@dataclass(frozen=True)
class Limits:
    """Says what is refused; the keys are those of a reader."""

    max_picture_pixels: int = MAX_PICTURE_PIXELS
    allow_playlists: bool = False


USUAL = Limits()


@contextmanager
def open_container(path: str, limits: Limits = USUAL) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Opens the file and yields the container and its best video stream; both are closed at the end.

    Raises VideoError if there is no such thing.
    """
    check_file(path)
    av.logging.set_level(None)  # with FFmpeg's messages in Python's log, damaged files stop PyAV for good
    try:
        container = av.open(os.path.abspath(path), options=_options(limits), metadata_errors="replace")
    except av.error.ArgumentError as error:  # this is also how FFmpeg refuses a format
        found = f"this is a playlist of other files, or its header is damaged ({error.strerror})"
        allowed = "" if limits.allow_playlists else "; reader.allow_playlists=true allows lists of local files"
        raise VideoError(path, found, f"{EXPECTED}, that holds its pictures itself{allowed}") from error
    except (av.error.FFmpegError, OSError, ValueError) as error:
        found = f"this is no video, or its header is damaged or cut off ({getattr(error, 'strerror', None) or error})"
        raise VideoError(path, found, EXPECTED + ", complete") from error
    with container:
        stream = container.streams.best("video")
        if stream is None or av.stream.Disposition.attached_pic in stream.disposition:
            kinds = ", ".join(sorted({s.type for s in container.streams})) or "no stream at all"
            raise VideoError(path, f"the file holds no moving picture, only: {kinds}", EXPECTED)
        if stream.codec_context is None:
            raise VideoError(path, "its codec is unknown to the installed PyAV", "Convert it, e.g. to H.264 in .mp4")
        yield container, stream


def prepare(stream: VideoStream, limits: Limits, threads: int, marked: bool = False) -> None:
    """Sets up the stream's decoder, before its first packet; `threads`: 0 = FFmpeg's choice.

    `marked`: what is put into a packet's `opaque` comes out with its picture. One thread decodes pictures so large that
    those of several threads would fill the memory. One thread decodes VP8, of whose damaged data several threads make
    other pictures every time. One thread decodes marked packets: where a decoder is closed early, another thread of it
    would free a mark, for which it waits for Python, which waits for that thread.
    """
    codec = stream.codec_context
    alone = stream.width * stream.height > ONE_THREAD_PIXELS or codec.name == "vp8" or marked
    codec.thread_count = 1 if alone else threads
    codec.options = {"max_pixels": str(limits.max_picture_pixels)}
    if marked:
        codec.flags |= Flags.copy_opaque


def too_large(stream: VideoStream, limits: Limits) -> str:
    """Says so where pictures have become too large, which FFmpeg calls invalid data; empty where they are not."""
    codec, most = stream.codec_context, limits.max_picture_pixels
    larger = codec.width * codec.height > most
    return f"its {codec.width} x {codec.height} pixels are more than reader.max_picture_pixels={most}" * larger


def _options(limits: Limits) -> dict[str, str]:
    refused = REFERRING - PLAYLISTS if limits.allow_playlists else REFERRING
    formats = ",".join(sorted(av.formats_available - refused))
    return {"protocol_whitelist": "file", "format_whitelist": formats, **UNFINISHED}


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
