"""Evidence that was kept, counted by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from framework.benchmarks.base import Item
from framework.core.outcome import Offered
from framework.core.types import Layout, Selection, Tokens
from framework.evaluation.evidence import evidence_found, evidence_kept, parts_of, shown_in
from framework.testing.toys import QUESTION


def kept(*seconds: float) -> Selection:
    """Tokens kept at these seconds."""
    place = torch.arange(len(seconds))
    zeros = torch.zeros_like(place)
    tokens = Tokens(torch.zeros(len(seconds), 2), place, zeros, zeros, torch.tensor(seconds, dtype=torch.float64))
    return Selection(tokens, zeros, 8)


@pytest.mark.parametrize(
    ("selection", "evidence", "found"),
    [
        (kept(3, 12), [(9.0, 13.0)], True),
        (kept(3, 13), [(9.0, 13.0)], False),
        (kept(3, 12), [(3.0, 4.0), (10.0, 13.0)], True),
        (kept(3, 12), [(3.0, 4.0), (13.0, 14.0)], False),
        (kept(3, 12), [], None),
        (None, [(3.0, 4.0)], None),
    ],
)
def test_evidence_found(selection: Selection | None, evidence: list[tuple[float, float]], found: bool | None) -> None:
    assert evidence_found(selection, evidence) is found


def tick(rows: int, columns: int) -> Layout:
    """The tokens of one tick."""
    row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    return Layout(torch.zeros(rows * columns, dtype=torch.long), row.ravel(), column.ravel(), (28, 28))


def offered(rows: int = 2, columns: int = 2, ticks: int = 6) -> Offered:
    return Offered(torch.arange(ticks, dtype=torch.float64), tick(rows, columns))


def selected(*places: tuple[int, int, int]) -> Selection:
    """Tokens kept at (tick, row, column); a tick is a second."""
    ticks, rows, columns = torch.tensor(sorted(places)).reshape(-1, 3).T
    tokens = Tokens(torch.zeros(len(places), 2), ticks, rows, columns, ticks.double())
    return Selection(tokens, torch.zeros_like(ticks), 8)


def item(*evidence: tuple[float, float], **facts: object) -> Item:
    return Item(QUESTION, "A", {}, evidence, facts)  # type: ignore[arg-type]


def test_the_share_of_a_needle_is_that_of_its_own_cell() -> None:
    """A needle in cell 2 (row 1, column 0) at seconds 1 to 4: four tokens, of which two were kept."""
    needle = item((1.0, 5.0), cells="2")
    chosen = selected((1, 1, 0), (2, 1, 0), (2, 0, 0), (3, 1, 1), (5, 1, 0))
    assert evidence_kept(chosen, offered(), needle) == 2 / 4
    assert evidence_kept(chosen, offered(), item((1.0, 5.0))) == 4 / 16  # without cells: all tokens of its ticks


def test_two_needles_are_counted_together() -> None:
    both = item((0.0, 1.0), (2.0, 5.0), cells="0 3")
    assert evidence_kept(selected((0, 0, 0), (2, 0, 0), (3, 1, 1)), offered(), both) == 2 / 4  # 1 and 3 tokens
    assert evidence_found(selected((0, 0, 0), (2, 0, 0), (3, 1, 1)), both.evidence) is True


def test_spans_that_overlap_count_a_token_once() -> None:
    assert evidence_kept(selected((1, 0, 0)), offered(), item((0.0, 3.0), (1.0, 4.0), cells="0 0")) == 1 / 4


def test_a_finer_grid_has_several_tokens_in_a_cell() -> None:
    """4 x 6 tokens, cut 2 x 2: cell 1 has rows 0 and 1, columns 3 to 5."""
    chosen = selected((0, 0, 3), (0, 1, 5), (0, 2, 3), (0, 0, 2))
    assert evidence_kept(chosen, offered(4, 6), item((0.0, 1.0), cells="1")) == 2 / 6
    assert parts_of(tick(4, 6), 2).reshape(4, 6)[:, [0, 3]].tolist() == [[0, 1], [0, 1], [2, 3], [2, 3]]


def test_a_frame_of_seven_by_seven_cells() -> None:
    wide = item((0.0, 2.0), cells="48", grid=7)
    assert shown_in(wide) == ([48], 7) and shown_in(item()) == ([], 2)
    assert evidence_kept(selected((0, 6, 6), (1, 6, 5)), offered(7, 7), wide) == 1 / 2


def test_the_share_is_unknown_where_nothing_says_it() -> None:
    needle = item((1.0, 5.0), cells="2")
    assert evidence_kept(None, offered(), needle) is None
    assert evidence_kept(selected((1, 1, 0)), None, needle) is None
    assert evidence_kept(selected((1, 1, 0)), offered(), replace(needle, evidence=())) is None
    assert evidence_kept(selected((1, 1, 0)), offered(), item((1.2, 1.9), cells="2")) is None  # between two ticks
    assert evidence_kept(selected((0, 1, 0)), offered(), needle) == 0
