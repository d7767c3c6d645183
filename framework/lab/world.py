"""What the lab's little world is made of: shapes, colours, sizes and the cells they live in.

It defines the words for objects, and how a glyph looks in its cell. Time, questions and models are in other files.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

SHAPES = ("square", "triangle", "star", "cross", "ring", "heart", "bar", "moon")
COLOURS = ("red", "green", "blue", "yellow", "purple", "cyan", "white", "black")
SIZES = ("small", "large")
RGB = np.array(
    [
        (225, 25, 25),
        (25, 150, 45),
        (40, 60, 235),
        (245, 225, 30),
        (150, 40, 200),
        (40, 220, 235),
        (252, 252, 252),
        (8, 8, 8),
    ],
    dtype=np.float32,
)  # [colours, 3], 0..255
GLYPH_PIXELS = (16, 24)
CELL = 28  # pixels: 2 x 2 patches of 14, which the model merges into one visual token
GRID = 2  # cells per side, unless a scene says otherwise
CELLS = GRID * GRID
SIDE = GRID * CELL
WIDE = 7  # cells per side of the split `wide`
SHIFT = 2  # a glyph may sit this many pixels off the middle of its cell
FRAMES_PER_TICK = 2
FRAMES_PER_SECOND = 2.0  # so one tick is one second


def _outline(shape: str, pixels: int) -> Image.Image:
    """One shape, white on black, filling a square of `pixels`."""
    image = Image.new("L", (pixels, pixels), 0)
    draw = ImageDraw.Draw(image)
    half = pixels / 2

    def polygon(points: list[tuple[float, float]]) -> None:
        draw.polygon([(half + x * (half - 1), half + y * (half - 1)) for x, y in points], fill=255)

    def box(left: float, top: float, right: float, bottom: float) -> None:
        draw.rectangle([pixels * left, pixels * top, pixels * right - 1, pixels * bottom - 1], fill=255)

    def disc(left: float, top: float, right: float, bottom: float, fill: int) -> None:
        draw.ellipse([pixels * left, pixels * top, pixels * right - 1, pixels * bottom - 1], fill=fill)

    if shape == "square":
        box(0.08, 0.08, 0.92, 0.92)
    elif shape == "triangle":
        polygon([(0, -1), (1, 0.9), (-1, 0.9)])
    elif shape == "star":
        angles = np.arange(10) * np.pi / 5 - np.pi / 2
        radii = np.where(np.arange(10) % 2 == 0, 1.0, 0.4)
        polygon([(float(r * np.cos(a)), float(r * np.sin(a))) for r, a in zip(radii, angles, strict=True)])
    elif shape == "cross":
        box(0.34, 0, 0.66, 1)
        box(0, 0.34, 1, 0.66)
    elif shape == "ring":
        disc(0, 0, 1, 1, 255)
        disc(0.27, 0.27, 0.73, 0.73, 0)
    elif shape == "heart":
        disc(0, 0.05, 0.53, 0.58, 255)
        disc(0.47, 0.05, 1, 0.58, 255)
        polygon([(-0.95, -0.2), (0.95, -0.2), (0, 1)])
    elif shape == "bar":
        box(0.36, 0, 0.64, 1)
    elif shape == "moon":
        disc(0, 0, 1, 1, 255)
        disc(0.35, -0.05, 1.25, 0.85, 0)
    else:
        raise ValueError(f"unknown shape {shape!r}; known: {', '.join(SHAPES)}")
    return image


@lru_cache(maxsize=1)
def glyphs() -> np.ndarray:
    """Returns the coverage of a cell by every glyph, 0..1: f32 [shapes, sizes, row shifts, column shifts, CELL, CELL].

    Shift index s means s - SHIFT pixels. Glyphs are drawn eight times too large and averaged down, so that edges are
    soft.
    """
    shifts = 2 * SHIFT + 1
    bank = np.zeros((len(SHAPES), len(SIZES), shifts, shifts, CELL, CELL), np.float32)
    for shape, name in enumerate(SHAPES):
        for size, pixels in enumerate(GLYPH_PIXELS):
            small = _outline(name, 8 * pixels).resize((pixels, pixels), Image.Resampling.BOX)
            glyph = np.asarray(small, np.float32) / 255
            corner = (CELL - pixels) // 2
            for down in range(shifts):
                for right in range(shifts):
                    top, left = corner + down - SHIFT, corner + right - SHIFT
                    bank[shape, size, down, right, top : top + pixels, left : left + pixels] = glyph
    bank.flags.writeable = False
    return bank
