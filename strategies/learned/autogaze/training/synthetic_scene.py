"""What a made-up video shows, in units of the frame and of seconds, so that it may be rendered at any size and rate.

A video is a row of shots. In each, a camera looks at a textured ground over which textured things move, stop, turn,
grow, hide one another, appear and vanish. All is drawn from (seed, index, shot): nothing depends on the number of
frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
CUT_SECONDS = 15.0  # a shot lasts so long on average
SHOT_STREAMS, LENGTH_STREAM = 1000, 999  # shots have streams of their own


@dataclass(frozen=True)
class Texture:
    """Describes colours over a square: noise of several octaves, a pattern with edges, or both.

    The noise is finer in some places than in others.
    """

    seed: int
    colours: Floats  # [2, 3], 0..1: those of value 0 and of value 1
    pattern: str  # noise, stripes, checks or plain
    period: float  # of the pattern, in sides of the square
    mix: float  # share of the pattern, the rest is noise
    roughness: float  # each octave has so much of the amplitude of the one before
    coarsest: int  # cells per side of the first octave

    @staticmethod
    def draw(generator: np.random.Generator) -> Texture:
        """Draws a texture at random."""
        colours = generator.uniform(0, 1, (2, 3))
        pattern = str(generator.choice(["noise", "stripes", "checks", "plain"], p=[0.5, 0.15, 0.15, 0.2]))
        return Texture(
            seed=int(generator.integers(2**31)),
            colours=colours,
            pattern=pattern,
            period=float(np.exp(generator.uniform(np.log(0.04), np.log(0.5)))),
            mix={"noise": 0.0, "plain": 1.0}.get(pattern, float(generator.uniform(0.5, 1.0))),
            roughness=float(generator.uniform(0.3, 0.8)),
            coarsest=int(generator.integers(2, 7)),
        )


@dataclass(frozen=True)
class Wave:
    """Describes a number over seconds: start + speed t + height sin(2 pi (pace t + phase)).

    Its time stands still while it `rests`.
    """

    start: float
    speed: float = 0.0
    height: float = 0.0
    pace: float = 0.0
    phase: float = 0.0
    rests: tuple[float, float] | None = None  # seconds between which its time stands still

    def at(self, seconds: float) -> float:
        """Returns the value at a time in seconds."""
        if self.rests is not None:
            seconds -= min(max(seconds - self.rests[0], 0.0), self.rests[1] - self.rests[0])
        return (
            self.start
            + self.speed * seconds
            + self.height * float(np.sin(2 * np.pi * (self.pace * seconds + self.phase)))
        )


@dataclass(frozen=True)
class Thing:
    """Describes a shape with a texture.

    Places and sizes are shares of the ground's unit square. Places bounce within 0..1.
    """

    shape: str  # ellipse, box, ring or star
    texture: Texture
    x: Wave
    y: Wave
    angle: Wave  # radians
    radius: Wave
    aspect: float
    seen: tuple[float, float]  # seconds


@dataclass(frozen=True)
class Shot:
    """Describes one shot, from `start` seconds on until the next: its ground, things, camera, noise and light."""

    start: float
    ground: Texture
    things: tuple[Thing, ...]
    x: Wave  # where the camera looks
    y: Wave
    zoom: Wave  # natural logarithm
    noise: float  # standard deviation of the sensor, 0..1
    light: Wave  # brightness is multiplied with it


def shots(seed: int, index: int, seconds: float) -> list[Shot]:
    """Returns the shots of a video that begin within its first `seconds`."""
    lengths = np.random.default_rng([seed, index, LENGTH_STREAM])
    found: list[Shot] = []
    start = 0.0
    while start <= seconds:
        found.append(_shot(np.random.default_rng([seed, index, SHOT_STREAMS + len(found)]), start))
        start += float(lengths.exponential(CUT_SECONDS)) + 0.1
    return found


def _shot(generator: np.random.Generator, start: float) -> Shot:
    x, y, zoom = _camera(generator)
    flickers = generator.random() < 0.1
    return Shot(
        start=start,
        ground=Texture.draw(generator),
        things=tuple(_thing(generator) for _ in range(int(generator.integers(0, 6)))),
        x=x,
        y=y,
        zoom=zoom,
        noise=float(generator.uniform(0.003, 0.03)) if generator.random() < 0.5 else 0.0,
        light=Wave(1.0, height=0.08 if flickers else 0.0, pace=float(generator.uniform(0.3, 3))),
    )


def _camera(generator: np.random.Generator) -> tuple[Wave, Wave, Wave]:
    """It stands, pans, trembles or zooms."""
    kind = generator.choice(["still", "pan", "tremble", "zoom"], p=[0.45, 0.25, 0.15, 0.15])
    x, y, zoom = Wave(0.5), Wave(0.5), Wave(0.0)
    if kind == "pan":
        speed, angle = np.exp(generator.uniform(np.log(0.03), np.log(0.6))), generator.uniform(0, 2 * np.pi)
        x, y = Wave(0.5, float(speed * np.cos(angle))), Wave(0.5, float(speed * np.sin(angle)))
    elif kind == "tremble":
        x, y = (
            Wave(
                0.5,
                0.0,
                float(generator.uniform(0.003, 0.02)),
                float(generator.uniform(1, 6)),
                float(generator.random()),
            )
            for _ in range(2)
        )
    elif kind == "zoom":
        zoom = Wave(0.0, float(generator.uniform(0.03, 0.3)) * float(generator.choice([-1, 1])))
    return x, y, zoom


def _thing(generator: np.random.Generator) -> Thing:
    still = generator.random() < 0.25
    speed = 0.0 if still else float(np.exp(generator.uniform(np.log(0.05), np.log(1.2))))
    angle = generator.uniform(0, 2 * np.pi)
    begins = float(generator.exponential(2.0))
    rests = (begins, begins + float(generator.exponential(2.0))) if generator.random() < 0.3 else None
    waves = generator.random() < 0.3
    paths = [
        Wave(
            float(generator.random()),
            speed * float(part),
            float(generator.uniform(0.02, 0.2)) if waves and not still else 0.0,
            float(generator.uniform(0.1, 1.5)),
            float(generator.random()),
            rests,
        )
        for part in (np.cos(angle), np.sin(angle))
    ]
    turning = 0.0 if still or generator.random() < 0.5 else float(generator.uniform(-2, 2))
    comes = float(generator.exponential(2.0)) if generator.random() < 0.2 else 0.0
    goes = comes + float(generator.exponential(3.0)) if generator.random() < 0.2 else float("inf")
    return Thing(
        shape=str(generator.choice(["ellipse", "box", "ring", "star"])),
        texture=Texture.draw(generator),
        x=paths[0],
        y=paths[1],
        angle=Wave(float(generator.uniform(0, 2 * np.pi)), turning, rests=rests),
        radius=Wave(
            float(np.exp(generator.uniform(np.log(0.04), np.log(0.3)))),
            height=float(generator.uniform(0, 0.02)),
            pace=float(generator.uniform(0.1, 1)),
        ),
        aspect=float(np.exp(generator.uniform(-0.5, 0.5))),
        seen=(comes, goes),
    )
