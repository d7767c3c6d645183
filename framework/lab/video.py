"""Scenes as real H.264 files, two frames a second, written as a stream; and frames through the same codec in memory.

Of the lab, only this file uses PyAV.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from framework.core.home import at_home
from framework.core.unfinished import unfinished
from framework.lab.render import render
from framework.lab.scene import Scene
from framework.lab.world import CELLS, FRAMES_PER_SECOND, GRID
from framework.video.container import open_container

WRITER = 1  # raise it when rendering or encoding changes: cached files of before are then left alone
PRESET = "veryfast"
# B-frames and the macroblock tree make libx264 give other bytes now and then for the same frames of this small size
REPEATABLE = {"bf": "0", "x264-params": "mbtree=0"}
KEY_FRAMES = 64  # at most so many frames apart
# how libx264 tells its settings in the first packet; no player, site or camera writes films with these
SETTINGS = re.compile(rb"x264 - core .* threads=1 .* bframes=0 .* keyint=%d .* mbtree=0 " % KEY_FRAMES)
CHUNK = 256  # frames of ordinary size rendered at a time
CRF = 18  # chosen by the table in docs/results/lab_model.md
BT601 = 6  # SMPTE 170M in the numbering of H.273
LIMITED_RANGE = 1


def write_video(scene: Scene, path: Path | str, crf: int = CRF) -> Path:
    """Encodes a scene to an mp4 file, and returns its path.

    The file appears under its name only when it is complete. What killed processes left beside it is removed.
    """
    path = Path(path)
    with unfinished(path) as part, open(part, "wb") as file:
        _encode(_stream(scene), file, crf)
    return path


def cached_video(scene: Scene, folder: Path | str, crf: int = CRF) -> Path:
    """Returns the file of a scene in a folder, and writes it only if it is not there.

    The name of the file follows from what it shows.
    """
    path = cached_file(scene, folder, crf)
    return path if path.exists() else write_video(scene, path, crf)


def cached_file(scene: Scene, folder: Path | str, crf: int = CRF) -> Path:
    """Returns where `cached_video` puts the file of a scene, whether it is there or not."""
    return at_home(folder, "benchmark.folder") / f"{content_key(scene, crf)}.mp4"


def content_key(scene: Scene, crf: int) -> str:
    """Returns a name for what a scene looks like on disk."""
    told = repr((scene.frames, scene.background, scene.noise, scene.seed, crf, PRESET, WRITER))
    told += "crossing" if scene.crossing else ""  # both only where they matter, so that other files keep their names
    told += f"grid {scene.grid}" if scene.grid != GRID else ""
    return hashlib.sha256(told.encode() + scene.tracks.tobytes()).hexdigest()[:20]


def is_made(path: Path | str, side: int) -> bool:
    """Says whether a file is a video of the lab with pictures of `side` x `side` pixels.

    It is known by its size, its rate and the settings of its encoder. A copy is one, also in another container; what
    was encoded again is none. Raises VideoError where the file is no video.
    """
    with open_container(str(path)) as (container, stream):
        if (stream.height, stream.width, stream.average_rate) != (side, side, FRAMES_PER_SECOND):
            return False
        return SETTINGS.search(bytes(next(container.demux(stream)))) is not None


def through_codec(frames: np.ndarray, crf: int = CRF) -> np.ndarray:
    """Encodes frames u8 [n, height, width, 3] and decodes them again, in memory."""
    file = io.BytesIO()
    _encode(frames, file, crf)
    file.seek(0)
    with av.open(file) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def _stream(scene: Scene) -> Iterator[np.ndarray]:
    chunk = max(1, CHUNK * CELLS // scene.cells)
    for start in range(0, scene.frames, chunk):
        yield from render(scene, start, min(start + chunk, scene.frames))


def _encode(frames: Iterable[np.ndarray], file: io.IOBase, crf: int) -> None:
    """H.264, yuv420p, BT.601 limited range (said so in the stream), one thread so that the bytes are reproducible."""
    with av.open(file, "w", format="mp4") as container:
        stream = None
        for number, pixels in enumerate(frames):
            if stream is None:
                stream = container.add_stream("libx264", rate=Fraction(FRAMES_PER_SECOND))
                stream.height, stream.width = pixels.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.options = {"crf": str(crf), "preset": PRESET, "g": str(KEY_FRAMES), "threads": "1", **REPEATABLE}
                stream.codec_context.color_range = LIMITED_RANGE
                stream.codec_context.colorspace = BT601
                stream.codec_context.color_primaries = BT601
                stream.codec_context.color_trc = BT601
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace=BT601, dst_color_range=LIMITED_RANGE)
            frame.pts = number
            frame.time_base = 1 / stream.codec_context.framerate
            container.mux(stream.encode(frame))
        if stream is None:
            raise ValueError("a video needs at least one frame")
        container.mux(stream.encode())
