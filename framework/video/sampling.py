"""Which frames of a file are looked at. Knows times only: no file, no pixels, no model.

Without explicit timestamps, with F frames per tick:
N = round(duration * fps / F) * F, at least min_frames, at most max_frames (rounded down to a multiple of F).
If the file has no more than N frames, or fps is None and max_frames allows it, every frame is used once, in order.
Otherwise N target times are spread evenly, in real time, so that variable frame rate works:
    ends     from the first frame to the last, both included; the frame nearest to each is taken (the spec of
             AdaptToken, section 1.3, step 1, for constant frame rate)
    middles  in the middle of N equal parts; the frame that is shown then is taken (InternVL's own sampling, and
             FlexSelect's on it)
A frame that is hit twice is used once. No frame is ever repeated to reach min_frames: a file that holds fewer gives
fewer.

With timestamps: for each, the last frame shown at or before it; a frame hit twice is used once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

AT = ("ends", "middles")
SAME_SECONDS = 1e-6  # times closer than this are one time: containers round theirs


@dataclass(frozen=True)
class Sampling:
    """Says which frames of a file are looked at, or how many.

    `fps` None means every frame. `at` says where in the file they are. `timestamps` (seconds) override the rest. Wrong
    values raise ValueError naming the key.
    """

    fps: float | None
    max_frames: int
    min_frames: int
    timestamps: tuple[float, ...] | None = None
    at: str = "ends"

    def __post_init__(self) -> None:
        if self.fps is not None and not 0 < self.fps < float("inf"):
            raise ValueError(f"sampling.fps must be above 0, or null for every frame; got {self.fps}")
        if not 1 <= self.min_frames <= self.max_frames:
            raise ValueError(
                f"expected 1 <= sampling.min_frames <= sampling.max_frames, got {self.min_frames} and {self.max_frames}"
            )
        if self.at not in AT:
            raise ValueError(f"sampling.at must be one of {', '.join(AT)}; got {self.at!r}")
        if self.timestamps is not None and (
            not self.timestamps or not all(0 <= t < float("inf") for t in self.timestamps)
        ):
            raise ValueError("sampling.timestamps must be seconds from 0 on, at least one")

    def frames(self, seconds: NDArray[np.float64], duration_seconds: float, frames_per_tick: int) -> NDArray[np.int64]:
        """Returns the frame numbers, ascending without duplicates: i64 [N].

        `seconds` f64 [n], ascending: when each frame of the file is shown. `duration_seconds`: until the last one
        disappears.
        """
        if self.timestamps is not None:
            return _shown(seconds, np.array(self.timestamps))
        most = max(self.max_frames // frames_per_tick, 1) * frames_per_tick
        wanted = len(seconds)
        if self.fps is not None:
            wanted = max(round(duration_seconds * self.fps / frames_per_tick) * frames_per_tick, self.min_frames)
        wanted = min(wanted, most)
        if wanted >= len(seconds):
            return np.arange(len(seconds))
        if self.at == "middles":
            parts = (np.arange(wanted) + 0.5) / wanted
            return _shown(seconds, seconds[0] + parts * (duration_seconds - seconds[0]))
        targets = np.linspace(seconds[0], seconds[-1], wanted)
        after = np.clip(np.searchsorted(seconds, targets), 1, len(seconds) - 1)
        earlier = targets - seconds[after - 1] <= seconds[after] - targets + SAME_SECONDS
        return np.unique(np.where(earlier, after - 1, after))


def _shown(seconds: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.int64]:
    """The frames, shown from `seconds` on, that are seen at `times`, each of them once."""
    return np.unique(np.searchsorted(seconds, times + SAME_SECONDS, side="right") - 1)
