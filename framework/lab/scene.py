"""A scene: which object is in which cell during which frames, over a plain background with noise.

A scene is a list of tracks, so ten thousand frames cost nothing until they are rendered. It knows nothing of pixels,
questions or models.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from framework.lab.world import CELL, FRAMES_PER_TICK, GRID, SHIFT

TRACK = np.dtype(
    [
        ("shape", "i1"),
        ("colour", "i1"),
        ("size", "i1"),
        ("cell", "i1"),  # row-major
        ("start", "i4"),  # first frame
        ("length", "i4"),  # frames
        ("opacity", "f4"),  # 0..1
        ("down", "i1"),  # shift from the middle of the cell at the first frame, pixels
        ("right", "i1"),
        ("drift_down", "i1"),  # pixels per frame, until the edge of the cell; in a crossing scene its sign alone counts
        ("drift_right", "i1"),
    ]
)
EMPTY = -1


@dataclass(frozen=True)
class Scene:
    """Describes a procedural video.

    `background` is three values 0..1; `noise` is a pixel's standard deviation on that scale. With `crossing`, what
    drifts goes from one edge of its cell to the other within its life, and moves between ticks only. `grid` is the
    number of cells per side. Raises ValueError for an odd number of frames, and for tracks that leave the frames or the
    cells.
    """

    frames: int
    tracks: np.ndarray  # TRACK [objects]; no two of them in one cell at one time
    background: tuple[float, float, float]
    noise: float
    seed: int
    crossing: bool = False
    grid: int = GRID

    def __post_init__(self) -> None:
        if self.frames < 1 or self.frames % FRAMES_PER_TICK:
            raise ValueError(f"a scene needs an even number of frames, at least 2, got {self.frames}")
        if self.tracks.dtype != TRACK:
            raise ValueError(f"tracks must have dtype TRACK, got {self.tracks.dtype}")
        ends = self.tracks["start"] + self.tracks["length"]
        if len(ends) and (self.tracks["start"].min() < 0 or ends.max() > self.frames):
            raise ValueError(f"a track leaves the scene of {self.frames} frames")
        if len(ends) and not 0 <= self.tracks["cell"].min() <= self.tracks["cell"].max() < self.cells:
            raise ValueError(f"a track is in none of the {self.cells} cells")
        if self.crossing and (self.tracks["start"] % FRAMES_PER_TICK + self.tracks["length"] % FRAMES_PER_TICK).any():
            raise ValueError("what crosses its cell moves between ticks: tracks must start and end on whole ticks")

    @property
    def cells(self) -> int:
        """Counts the cells of a frame."""
        return self.grid**2

    @property
    def side(self) -> int:
        """Returns the height and width of a frame in pixels."""
        return self.grid * CELL

    @property
    def ticks(self) -> int:
        """Returns the length of the video in ticks of two frames."""
        return self.frames // FRAMES_PER_TICK

    def contents(self) -> np.ndarray:
        """Says what is where: i1 [ticks, FRAMES_PER_TICK, cells, 3] of shape, colour, size; EMPTY where nothing is."""
        table = np.full((self.frames, self.cells, 3), EMPTY, np.int8)
        for track in self.tracks:
            span = slice(track["start"], track["start"] + track["length"])
            table[span, track["cell"]] = (track["shape"], track["colour"], track["size"])
        return table.reshape(self.ticks, FRAMES_PER_TICK, self.cells, 3)


def track(
    generator: np.random.Generator,
    shape: int,
    colour: int,
    size: int,
    cell: int,
    start: int,
    length: int,
    opacity: float,
) -> np.ndarray:
    """Makes one track, TRACK [1], at a random place inside its cell. With probability 1/2 it gets a random drift."""
    down, right = generator.integers(-SHIFT, SHIFT + 1, 2)
    drift = generator.integers(-1, 2, 2) * (generator.random() < 0.5)
    return np.array([(shape, colour, size, cell, start, length, opacity, down, right, *drift)], TRACK)


def crossing(ticks: int) -> np.ndarray:
    """Returns where an object that crosses its cell is at every tick of its life: i64 [ticks], pixels from the middle.

    The way back shows the same places in reverse, so that one tick alone says nothing of the direction.
    """
    return np.rint(np.linspace(-SHIFT, SHIFT, ticks)).astype(np.int64) if ticks > 1 else np.zeros(1, np.int64)


def cross(generator: np.random.Generator, track: np.ndarray, down: int, right: int) -> None:
    """Makes a track (TRACK [1], changed in place) drift along one axis: (down, right) is one of (±1, 0), (0, ±1).

    On the other axis it stays at one of the places of its way, so that a single tick does not tell the axis.
    """
    track["drift_down"], track["drift_right"] = down, right
    track["right" if down else "down"] = generator.choice(crossing(int(track["length"][0]) // FRAMES_PER_TICK))


def scatter(
    generator: np.random.Generator,
    frames: int,
    density: float,
    lengths: tuple[int, int],
    whole_ticks: bool,
    draw: Callable[[], tuple[int, int, int, float]],
    taken: np.ndarray,
) -> np.ndarray:
    """Draws random objects that never overlap: TRACK [objects].

    `density` is the expected share of (frame, cell) places filled, were there no collisions. `lengths` are the shortest
    and the longest life in frames. `draw()` gives shape, colour, size and opacity. `taken` bool [frames, cells] is
    updated in place. `whole_ticks` starts and ends lives between ticks, so that both frames of a tick show the same
    objects.
    """
    shortest, longest = min(lengths[0], frames), min(lengths[1], frames)
    step = FRAMES_PER_TICK if whole_ticks else 1
    cells, tracks = taken.shape[1], []
    for _ in range(generator.poisson(density * frames * cells / ((shortest + longest) / 2))):
        length = int(generator.integers(shortest, longest + 1)) // step * step
        start, cell = int(generator.integers(frames - length + 1)) // step * step, int(generator.integers(cells))
        if length and not taken[start : start + length, cell].any():
            taken[start : start + length, cell] = True
            shape, colour, size, opacity = draw()
            tracks.append(track(generator, shape, colour, size, cell, start, length, opacity))
    return np.concatenate(tracks) if tracks else np.zeros(0, TRACK)


def background(generator: np.random.Generator) -> tuple[float, float, float]:
    """Draws a random greyish background with a tint: three values within 0..1."""
    grey, tint = generator.uniform(0.2, 0.8), generator.uniform(-0.12, 0.12, 3)
    return (float(grey + tint[0]), float(grey + tint[1]), float(grey + tint[2]))
