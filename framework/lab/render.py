"""Renders a scene to pixels.

A frame depends on its scene and its number alone: rendering in any chunks gives the same bytes, so videos of any length
stream through bounded memory. It knows nothing of files or models.
"""

from __future__ import annotations

import numpy as np

from framework.lab.scene import Scene, crossing
from framework.lab.world import CELL, FRAMES_PER_TICK, RGB, SHIFT, glyphs


def render(scene: Scene, start: int, stop: int) -> np.ndarray:
    """Renders frames start..stop-1 of a scene: u8 [stop - start, side, side, 3], RGB.

    Raises ValueError for frames outside the scene.
    """
    if not 0 <= start < stop <= scene.frames:
        raise ValueError(f"frames {start}..{stop} are outside this scene of {scene.frames} frames")
    count, side = stop - start, scene.side
    canvas = np.empty((count, side, side, 3), np.float32)
    canvas[:] = np.asarray(scene.background, np.float32) * 255
    _draw(scene, start, canvas)
    grain = np.empty((side, side, 3), np.float32)
    for frame in range(count):
        # one counter-based stream per frame: what makes a frame independent of the chunk it is rendered in
        stream = np.random.Generator(np.random.Philox(key=scene.seed, counter=[0, 0, 0, start + frame]))
        stream.standard_normal(dtype=np.float32, out=grain)
        grain *= scene.noise * 255
        canvas[frame] += grain
    np.clip(canvas, 0, 255, out=canvas)
    return np.rint(canvas, out=canvas).astype(np.uint8)


def _draw(scene: Scene, start: int, canvas: np.ndarray) -> None:
    """Blend every object that lives in these frames into the canvas, all at once (objects never overlap)."""
    count = len(canvas)
    tracks = scene.tracks
    first = np.maximum(tracks["start"], start)
    last = np.minimum(tracks["start"] + tracks["length"], start + count)
    alive = np.flatnonzero(last > first)
    if not len(alive):
        return
    lives = (last - first)[alive]
    owner = np.repeat(alive, lives)  # [P] pairs of a track and a frame
    age = np.arange(len(owner)) - np.repeat(np.cumsum(lives) - lives, lives) + np.repeat(first[alive], lives)
    frame, age = age - start, age - tracks["start"][owner]
    shown = tracks[owner]
    if scene.crossing:
        way = _way(shown["length"], age)
        down = np.where(shown["drift_down"], np.sign(shown["drift_down"]) * way, shown["down"]) + SHIFT
        right = np.where(shown["drift_right"], np.sign(shown["drift_right"]) * way, shown["right"]) + SHIFT
    else:
        down = np.clip(shown["down"] + shown["drift_down"] * age, -SHIFT, SHIFT) + SHIFT
        right = np.clip(shown["right"] + shown["drift_right"] * age, -SHIFT, SHIFT) + SHIFT
    cover = glyphs()[shown["shape"], shown["size"], down, right] * shown["opacity"][:, None, None]  # [P, CELL, CELL]
    cells = canvas.reshape(count, scene.grid, CELL, scene.grid, CELL, 3).transpose(0, 1, 3, 2, 4, 5)  # a view
    row, column = np.divmod(shown["cell"].astype(np.int64), scene.grid)
    under = cells[frame, row, column]  # [P, CELL, CELL, 3]
    cells[frame, row, column] = under + cover[..., None] * (RGB[shown["colour"]][:, None, None] - under)


def _way(length: np.ndarray, age: np.ndarray) -> np.ndarray:
    """How far objects of these lives (frames) are on their way across at these ages (frames), pixels: i64 [P]."""
    ways = {int(ticks): crossing(int(ticks)) for ticks in np.unique(length // FRAMES_PER_TICK)}
    return np.array([ways[int(n)][a] for n, a in zip(length // FRAMES_PER_TICK, age // FRAMES_PER_TICK, strict=True)])
