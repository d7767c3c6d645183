"""Which ticks are shown: half of the most relevant group, the others spread over the film."""

from __future__ import annotations

import pytest
import torch

from framework.core.types import Selection, Tokens
from framework.report.shots import ticks_to_show


def selection(*kept: tuple[int, int, int]) -> Selection:
    """(tick, group, tokens kept of it)."""
    tick = torch.tensor([tick for tick, _, count in kept for _ in range(count)])
    group = torch.tensor([group for _, group, count in kept for _ in range(count)])
    row = torch.tensor([row for *_, count in kept for row in range(count)])
    tokens = Tokens(torch.zeros(len(tick), 2), tick, row, torch.zeros_like(tick), tick.double())
    return Selection(tokens, group, len(tick))


@pytest.mark.parametrize(
    ("kept", "most", "shown"),
    [
        # the two fullest of group 1, and the first and last of the others
        ([(0, 0, 1), (1, 1, 2), (2, 0, 1), (3, 1, 1), (4, 2, 1), (5, 1, 3), (8, 2, 1)], 4, [0, 1, 5, 8]),
        # three of five others: first, middle, last
        (
            [(0, 0, 1), (1, 0, 1), (2, 0, 1), (3, 0, 1), (4, 0, 1), (5, 1, 1), (6, 1, 1), (7, 1, 1)],
            6,
            [0, 2, 4, 5, 6, 7],
        ),
        ([(0, 0, 1), (1, 0, 1), (2, 0, 1)], 2, [0, 2]),  # nothing was kept of group 1: the others fill up
        ([(0, 1, 1), (1, 1, 2), (2, 1, 1)], 2, [0, 1]),  # nothing of the others
        ([(0, 0, 1), (1, 1, 1), (2, 0, 1)], 8, [0, 1, 2]),
        ([(0, 0, 1), (1, 0, 1), (2, 0, 1), (3, 1, 1)], 2, [1, 3]),
        ([(0, 0, 1), (3, 1, 1)], 1, [3]),
    ],
)
def test_ticks_to_show(kept: list[tuple[int, int, int]], most: int, shown: list[int]) -> None:
    assert ticks_to_show(selection(*kept), 1, most).tolist() == shown
