"""Times decoding against the plain loop, same clip and same picks.

Run `python -m strategies.learned.autogaze.gaze.benchmark`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from statistics import median
from time import perf_counter

import torch

from strategies.learned.autogaze.gaze.control import Control
from strategies.learned.autogaze.gaze.decoding import gaze_clip
from strategies.learned.autogaze.gaze.model import Gaze, GazeConfig
from strategies.learned.autogaze.gaze.naive import naive_clip
from strategies.learned.autogaze.gaze.picks import Picks


def main() -> None:
    """Prints a line for each loop, and how many times faster ours is."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--frames", type=int, default=16)
    asked.add_argument("--budget", type=int, default=50, help="picks a frame")
    asked.add_argument("--repeats", type=int, default=3)
    asked.add_argument("--size", choices=["official", "lab"], default="official")
    given = asked.parse_args()
    config = GazeConfig.official() if given.size == "official" else GazeConfig.lab()
    gaze = Gaze.random(config, 0)
    noise = torch.Generator().manual_seed(0)
    pixels = torch.randn(1, given.frames, 3, config.side, config.side, generator=noise)
    control = Control(budget=given.budget)
    ours, reference = _seconds(partial(gaze_clip, gaze, pixels, control), given.repeats)
    print(f"ours: {ours:.3f} s")
    for again in (False, True):
        seconds, picks = _seconds(partial(naive_clip, gaze, pixels, control, again=again), given.repeats)
        same = "same picks" if picks.ids.equal(reference.ids) else "OTHER PICKS"
        what = "cache copied each step" + (", history fed again each frame" if again else "")
        print(f"naive ({what}): {seconds:.3f} s, {seconds / ours:.2f} times ours, {same}")


def _seconds(run: Callable[[], Picks], repeats: int) -> tuple[float, Picks]:
    """The median of so many runs after one that warms up, and the picks."""
    picks, taken = run(), []
    for _ in range(repeats):
        start = perf_counter()
        run()
        taken.append(perf_counter() - start)
    return median(taken), picks


if __name__ == "__main__":
    main()
