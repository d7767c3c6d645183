"""Pictures as a short film: mp4, H.264."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

OPTIONS = {"crf": "20", "preset": "veryfast"}
SLOWEST, FASTEST = 2.0, 30.0  # frames a second


class Film:
    """Writes pictures to a file that appears under its name when all are in. It is a context manager.

    Pictures are u8 [H, W, 3] of one size, both sides even.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self.path, self.pictures = path, 0
        self.rate = Fraction(min(max(fps, SLOWEST), FASTEST)).limit_denominator(1001)
        self._unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
        self._container: Any = None
        self._stream: Any = None

    def __enter__(self) -> Film:
        self._container = av.open(str(self._unfinished), "w", format="mp4")
        return self

    def add(self, picture: NDArray[np.uint8]) -> None:
        """Adds one more picture, u8 [H, W, 3]."""
        if self._stream is None:
            self._stream = self._container.add_stream("libx264", rate=self.rate)
            self._stream.height, self._stream.width = picture.shape[:2]
            self._stream.pix_fmt, self._stream.options = "yuv420p", OPTIONS
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        self._container.mux(self._stream.encode(frame))
        self.pictures += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None and self._stream is not None:
                self._container.mux(self._stream.encode())
            self._container.close()
            if error is None and self._stream is not None:
                self._unfinished.replace(self.path)
        finally:
            self._unfinished.unlink(missing_ok=True)
