"""Picks on tiles -> scores and coverage of cells: by hand, and against painting them on a fine grid."""

from __future__ import annotations

from collections.abc import Callable
from math import lcm

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from strategies.learned.autogaze.gaze.decoding import Control, Picks
from strategies.learned.autogaze.gaze.model import Gaze
from strategies.learned.autogaze.gaze.tiling import Tiled, gaze_tiles
from strategies.learned.autogaze.gaze.token_grid import Canvas, coverage, scores
from strategies.learned.autogaze.gaze.vocabulary import Vocabulary
from tests.fixtures.gaze_layout import boxes

WORDS = Vocabulary((32, 64, 112))  # 2 x 2: ids 0..3, 4 x 4: 4..19, 7 x 7: 20..68


def tiled(picks: list[list[list[int]]], rows: int = 1, columns: int = 1, words: Vocabulary = WORDS) -> Tiled:
    return Tiled(Picks.of(picks, words), rows, columns)


def test_scores_by_hand() -> None:
    # a tile of 7 x 7 cells, at most 4 picks: the cell (6, 6), then the top left quarter, then the cell (0, 0)
    found = scores(tiled([[[68, 0, 20]]]), WORDS, 7, 7, most=4, eta=0.5)[0]
    assert float(found[6, 6]) == 1.0
    quarter = 0.75 / 12.25**0.5  # rank 1 of 4, 12.25 cells
    assert float(found[0, 0]) == pytest.approx(0.5)  # the fine pick, rank 2 of 4, is better than the quarter
    assert float(found[1, 1]) == pytest.approx(quarter)
    assert float(found[3, 1]) == pytest.approx(quarter / 2)  # half of this cell lies under it
    assert float(found[3, 3]) == pytest.approx(quarter / 4)
    assert int((found > 0).sum()) == 17
    assert float(scores(tiled([[[0]]]), WORDS, 7, 7, 1, eta=0.0)[0, 1, 1]) == 1.0
    assert float(scores(tiled([[[0]]]), WORDS, 7, 7, 1, eta=1.0)[0, 1, 1]) == pytest.approx(1 / 12.25)


def test_tiles_lie_side_by_side() -> None:
    found = scores(tiled([[[20]], [[68]], [[26]], [[62]], [[44]], [[20]]], 2, 3), WORDS, 14, 21, 1, 0.5)
    expected = {(0, 0), (6, 13), (0, 20), (13, 0), (10, 10), (7, 14)}
    assert {tuple(place) for place in found[0].nonzero().tolist()} == expected


def test_gaps_between_picks_take_no_rank() -> None:
    picks = Picks(torch.tensor([[[69, 20, 69, 21]]]), torch.tensor([[[False, True, False, True]]]))
    found = scores(Tiled(picks, 1, 1), WORDS, 7, 7, 4, 0.5)[0]
    assert found[0, :2].tolist() == [1.0, 0.75] and int((found > 0).sum()) == 2


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 2), st.integers(1, 2), st.integers(1, 5), st.integers(1, 5), st.data())
def test_both_against_painting(tile_rows: int, tile_columns: int, rows: int, columns: int, data: st.DataObject) -> None:
    words = Vocabulary((1, 2, 3), 1)
    ids = st.lists(st.integers(0, words.size - 1), min_size=0, max_size=4, unique=True)
    frames = st.lists(ids, min_size=2, max_size=2)
    picks = data.draw(st.lists(frames, min_size=tile_rows * tile_columns, max_size=tile_rows * tile_columns))
    high, wide = lcm(6 * tile_rows, rows), lcm(6 * tile_columns, columns)  # every edge lies on this grid
    pixel_rows, pixel_columns = high // rows, wide // columns
    given_tiles = tiled(picks, tile_rows, tile_columns, words)
    value = scores(given_tiles, words, rows, columns, 4, 0.5)
    covered = coverage(given_tiles, words, rows, columns)
    places = boxes(words)
    for frame in range(2):
        painted, best = torch.zeros(high, wide), torch.zeros(rows, columns)
        for place in range(tile_rows * tile_columns):
            row, column = divmod(place, tile_columns)
            for rank, one in enumerate(picks[place][frame]):
                top, left, bottom, right = places[one].tolist()
                patch = torch.zeros(high, wide)
                patch[
                    round((row + top) * high / tile_rows) : round((row + bottom) * high / tile_rows),
                    round((column + left) * wide / tile_columns) : round((column + right) * wide / tile_columns),
                ] = 1
                painted = painted.maximum(patch)
                share = patch.view(rows, pixel_rows, columns, pixel_columns).mean((1, 3))
                area = float(patch.sum()) / (pixel_rows * pixel_columns)
                best = best.maximum((1 - rank / 4) * share / area**0.5)
        assert torch.allclose(value[frame], best, atol=1e-6)
        assert torch.allclose(
            covered[frame], painted.view(rows, pixel_rows, columns, pixel_columns).mean((1, 3)), atol=1e-6
        )


@pytest.mark.parametrize(
    ("cells", "grid", "tiles"),
    [((14, 14), 14, (1, 1)), ((28, 42), 14, (2, 3)), ((16, 16), 14, (1, 1)), ((1, 40), 7, (1, 6))],
)
def test_a_canvas_is_the_nearest_whole_number_of_tiles(
    cells: tuple[int, int], grid: int, tiles: tuple[int, int]
) -> None:
    assert Canvas(cells, (28, 28), grid).tiles == tiles


@pytest.mark.parametrize("batch", [1, 3, 4, 16])  # of tiles, of which a clip has two
def test_a_canvas_looks_at_its_tiles(small: Callable[..., Gaze], batch: int) -> None:
    gaze = small(1)
    clips = torch.randint(0, 256, (3, 3, 3, 6 * 28 + 5, 3 * 28 + 1), dtype=torch.uint8)  # some pixels beyond the cells
    control = Control(4, -1.0)
    for clip, seen in zip(clips, Canvas((6, 3), (28, 28), 3).look(gaze, clips, control, 4, 0.5, batch), strict=True):
        expected = gaze_tiles(gaze, clip[..., : 6 * 28, : 3 * 28], control, 84, 2)
        assert torch.equal(seen.scores, scores(expected, gaze.vocabulary, 6, 3, 4, 0.5))
        assert torch.equal(seen.coverage, coverage(expected, gaze.vocabulary, 6, 3))
        assert seen.picks == int(expected.picks.counts.sum())


def test_a_static_picture_of_masks() -> None:
    both: Tensor = coverage(tiled([[[0, 20, 21], []]]), WORDS, 7, 7)
    assert float(both[0].sum()) == pytest.approx(12.25)  # the fine picks lie inside the coarse one
    assert float(both[1].sum()) == 0
