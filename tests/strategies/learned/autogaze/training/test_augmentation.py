"""Picks follow the pixels: a picture painted by an id and moved is the picture painted by the moved id."""

from __future__ import annotations

import pytest
import torch

from strategies.learned.autogaze.gaze.vocabulary import Vocabulary
from strategies.learned.autogaze.training.augmentation import id_table, move

VOCABULARY = Vocabulary((32, 64, 112))


@pytest.mark.parametrize("nth", range(8))
def test_picks_follow_pixels(nth: int) -> None:
    table = id_table(VOCABULARY)[nth]
    covered = VOCABULARY.cover(28, 28).view(-1, 28, 28)
    for pick in range(VOCABULARY.size):
        assert torch.equal(move(covered[pick], nth), covered[table[pick]])
    assert table[VOCABULARY.eos] == VOCABULARY.eos


def test_eight_positions_all_differ() -> None:
    square = torch.arange(9).view(3, 3)
    assert len({tuple(move(square, nth).flatten().tolist()) for nth in range(8)}) == 8
    assert torch.equal(move(square, 0), square) and torch.equal(move(square, 1), square.flip(-1))
