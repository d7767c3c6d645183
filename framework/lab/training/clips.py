"""Short training clips of the lab world, and what a viewer of some of their tokens has seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from framework.lab.render import render
from framework.lab.scene import EMPTY, Scene, background, scatter
from framework.lab.video import through_codec
from framework.lab.world import CELLS, COLOURS, FRAMES_PER_TICK, SHAPES, SIZES


@dataclass(frozen=True)
class ClipSettings:
    """Says how clips vary. Pairs are (lowest, highest); shares are probabilities."""

    density: tuple[float, float]  # expected share of places filled
    life: tuple[int, int]  # frames an object lives
    tick_share: float  # clips whose ticks are unrelated, as in a group that strides over a long video
    whole_tick_share: float  # clips in which both frames of a tick always show the same
    repeat_share: float  # objects that share a shape or colour with an earlier one
    faint_share: float  # objects of random opacity
    faintest: float  # the lowest opacity
    noise: tuple[float, float]  # standard deviation of a pixel, log-uniform
    codec_share: float  # batches that went through H.264 and back


def draw_clip(generator: np.random.Generator, frames: int, settings: ClipSettings) -> Scene:
    """Draws a random clip of `frames` frames."""
    earlier: list[tuple[int, int]] = []

    def draw() -> tuple[int, int, int, float]:
        shape, colour, size = (int(generator.integers(len(names))) for names in (SHAPES, COLOURS, SIZES))
        if earlier and generator.random() < settings.repeat_share:
            old_shape, old_colour = earlier[generator.integers(len(earlier))]
            shape, colour = (old_shape, colour) if generator.random() < 0.5 else (shape, old_colour)
        earlier.append((shape, colour))
        faint = generator.random() < settings.faint_share
        return shape, colour, size, float(generator.uniform(settings.faintest, 1.0)) if faint else 1.0

    unrelated = generator.random() < settings.tick_share
    life = (FRAMES_PER_TICK, FRAMES_PER_TICK) if unrelated else settings.life
    whole = unrelated or generator.random() < settings.whole_tick_share
    taken = np.zeros((frames, CELLS), bool)
    density = generator.uniform(*settings.density)
    tracks = scatter(generator, frames, density, life, whole, draw, taken)
    noise = float(np.exp(generator.uniform(*np.log(settings.noise))))
    return Scene(frames, tracks, background(generator), noise, int(generator.integers(2**31)))


def draw_batch(
    generator: np.random.Generator, clips: int, frames: int, settings: ClipSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Draws clips: pixels u8 [clips, frames, SIDE, SIDE, 3], contents i1 [clips, ticks, FRAMES_PER_TICK, CELLS, 3]."""
    scenes = [draw_clip(generator, frames, settings) for _ in range(clips)]
    pixels = np.stack([render(scene, 0, frames) for scene in scenes])
    if generator.random() < settings.codec_share:
        pixels = through_codec(pixels.reshape(-1, *pixels.shape[2:])).reshape(pixels.shape)
    return pixels, np.stack([scene.contents() for scene in scenes])


def draw_contents(generator: np.random.Generator, clips: int, frames: int, settings: ClipSettings) -> np.ndarray:
    """Draws the contents of clips without rendering them: i1 [clips, ticks, FRAMES_PER_TICK, CELLS, 3]."""
    return np.stack([draw_clip(generator, frames, settings).contents() for _ in range(clips)])


def visible_objects(contents: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lists the objects in the kept tokens of one clip, i1 [M, 3], and their ticks, i64 [M].

    `contents` is i1 [ticks, FRAMES_PER_TICK, CELLS, 3]. `kept` i64 [K] are token numbers, tick * CELLS + cell.
    """
    tokens = contents.transpose(0, 2, 1, 3).reshape(-1, FRAMES_PER_TICK, 3)[kept]  # [K, FRAMES_PER_TICK, 3]
    there = tokens[..., 0] != EMPTY
    ticks = np.broadcast_to((kept // CELLS)[:, None], there.shape)
    return tokens[there], ticks[there]


def steady(contents: np.ndarray) -> np.ndarray:
    """Says which tokens show the same in both of their frames: bool [clips, ticks, CELLS]."""
    return (contents[:, :, 0] == contents[:, :, 1]).all(axis=-1)
