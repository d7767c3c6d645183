"""Pictures as a short film: mp4, H.264."""

from __future__ import annotations

from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from framework.core.unfinished import unfinished

OPTIONS = {"crf": "20", "preset": "veryfast"}
SLOWEST, FASTEST = 2.0, 30.0  # frames a second


class Film:
    """Writes pictures to a file that appears under its name when all are in. It is a context manager.

    Pictures are u8 [H, W, 3] of one size, both sides even.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self.path, self.pictures = path, 0
        self.rate = Fraction(min(max(fps, SLOWEST), FASTEST)).limit_denominator(1001)
        self._open = ExitStack()
        self._container: Any = None
        self._stream: Any = None

    def __enter__(self) -> Film:
        with ExitStack() as stack:
            part = stack.enter_context(unfinished(self.path))
            self._container = stack.enter_context(av.open(str(part), "w", format="mp4"))
            self._open = stack.pop_all()
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
        if error is not None:
            self._open.__exit__(kind, error, trace)
            return
        with self._open:
            if self._stream is None:
                raise ValueError(f"{self.path}: a film needs at least one picture")
            self._container.mux(self._stream.encode())
