"""Rendering: frames do not depend on the chunk they come in, and objects look as their track says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.lab.render import render
from framework.lab.scene import TRACK, Scene, crossing, scatter
from framework.lab.world import CELL, COLOURS, GRID, RGB, SHAPES, SIZES, WIDE, glyphs


def scene(seed: int, frames: int = 24, grid: int = GRID) -> Scene:
    generator = np.random.default_rng(seed)

    def draw() -> tuple[int, int, int, float]:
        return (*(int(generator.integers(len(names))) for names in (SHAPES, COLOURS, SIZES)), 1.0)  # type: ignore[return-value]

    tracks = scatter(generator, frames, 0.6, (1, 7), False, draw, np.zeros((frames, grid**2), bool))
    return Scene(frames, tracks, (0.5, 0.4, 0.6), 0.05, seed, grid=grid)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 23), st.sampled_from([GRID, 3]))
def test_chunks_do_not_matter(seed: int, cut: int, grid: int) -> None:
    made = scene(seed, grid=grid)
    whole = render(made, 0, 24)
    assert whole.shape == (24, grid * CELL, grid * CELL, 3) and whole.dtype == np.uint8
    assert np.array_equal(whole, np.concatenate([render(made, 0, cut), render(made, cut, 24)]))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([GRID, WIDE]))
def test_what_is_drawn_is_what_the_contents_say(seed: int, grid: int) -> None:
    """An independent look at the pixels: a cell differs from the background exactly when something is in it."""
    made = scene(seed, grid=grid)
    quiet = replace(made, noise=0.0)
    frames = render(quiet, 0, 24).astype(int)
    ground = np.rint(np.array(made.background, np.float32) * 255)
    table = made.contents().reshape(24, grid**2, 3)
    for frame in range(24):
        for cell in range(grid**2):
            row, column = divmod(cell, grid)
            part = frames[frame, row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL]
            touched = np.abs(part - ground).max() > 8
            assert touched == (table[frame, cell, 0] >= 0)
            if touched:
                colour = RGB[table[frame, cell, 1]]
                assert (np.abs(part - colour).max(axis=-1) <= 1).sum() >= 20  # the inside of the glyph has its colour


def test_opacity_blends_towards_the_background() -> None:
    track = np.array([(0, 7, 1, 3, 0, 2, 0.25, 0, 0, 0, 0)], TRACK)  # a black square, a quarter opaque, bottom right
    made = Scene(2, track, (0.8, 0.8, 0.8), 0.0, 0)
    middle = render(made, 0, 2)[0, 42, 42]
    assert middle.tolist() == [155, 155, 155]  # 0.75 * 204 + 0.25 * 8


def test_what_crosses_its_cell_goes_from_edge_to_edge_between_ticks() -> None:
    assert crossing(4).tolist() == [-2, -1, 1, 2] and crossing(1).tolist() == [0]
    for ticks in range(2, 12):
        assert np.array_equal(crossing(ticks), -crossing(ticks)[::-1])
    track = np.array([(0, 7, 0, 0, 0, 8, 1.0, 1, 2, -1, 0)], TRACK)  # a small black square on its way up
    frames = render(Scene(8, track, (1.0, 1.0, 1.0), 0.0, 0, crossing=True), 0, 8)[..., 0] < 128
    tops = [int(np.nonzero(frame.any(1))[0][0]) for frame in frames]
    assert [tops[0] - top for top in tops] == [0, 0, 1, 1, 3, 3, 4, 4]
    assert len({int(np.nonzero(frame.any(0))[0][0]) for frame in frames}) == 1


def test_glyphs_stay_in_their_cell_and_differ() -> None:
    bank = glyphs()
    assert bank.min() >= 0 and bank.max() <= 1
    centred = bank[:, :, 2, 2].reshape(len(SHAPES) * len(SIZES), -1)
    distance = np.abs(centred[:, None] - centred[None]).sum(-1)
    assert distance[~np.eye(len(centred), dtype=bool)].min() > 20
    moved = bank[..., 0, 0, :, :].sum((-1, -2))
    assert np.allclose(moved, bank[..., 4, 4, :, :].sum((-1, -2)), rtol=1e-5)  # nothing is cut off by the shift


def test_a_scene_refuses_what_it_cannot_show() -> None:
    none = np.zeros(0, TRACK)
    with pytest.raises(ValueError, match="even number of frames"):
        Scene(3, none, (0.5, 0.5, 0.5), 0.1, 0)
    with pytest.raises(ValueError, match="leaves the scene"):
        Scene(2, np.array([(0, 0, 0, 0, 0, 4, 1.0, 0, 0, 0, 0)], TRACK), (0.5, 0.5, 0.5), 0.1, 0)
    with pytest.raises(ValueError, match="none of the 4 cells"):
        Scene(2, np.array([(0, 0, 0, 4, 0, 2, 1.0, 0, 0, 0, 0)], TRACK), (0.5, 0.5, 0.5), 0.1, 0)
    with pytest.raises(ValueError, match="whole ticks"):
        Scene(4, np.array([(0, 0, 0, 0, 1, 2, 1.0, 0, 0, 0, 0)], TRACK), (0.5, 0.5, 0.5), 0.1, 0, crossing=True)
    with pytest.raises(ValueError, match="outside this scene"):
        render(Scene(2, none, (0.5, 0.5, 0.5), 0.1, 0), 0, 3)
