"""What a gaze picked: the last prediction of every frame; videos taken apart and joined again."""

from __future__ import annotations

from dataclasses import replace

import torch

from strategies.learned.autogaze.gaze.picks import Picks
from strategies.learned.autogaze.gaze.vocabulary import Vocabulary


def test_the_last_prediction_belongs_to_the_last_pick() -> None:
    valid = torch.tensor([[[True, True, True], [True, False, False]], [[True, False, True], [False, False, False]]])
    predicted = torch.arange(12.0).view(2, 2, 3)
    picks = Picks(torch.zeros(2, 2, 3, dtype=torch.long), valid, predicted)
    assert picks.last_predicted[0].tolist() == [2, 3], "three picks, then one"
    assert picks.last_predicted[1, 0] == 8, "a gap does not matter"
    assert Picks(picks.ids, valid).last_predicted.isnan().all() and picks.last_predicted.shape == (2, 2)


def test_what_is_split_is_joined_again() -> None:
    words = Vocabulary((16, 48), 16)
    whole = Picks.of([[[0, 3], [2]], [[1], [4, 5]], [[9], [8]], [[7, 6], [1]]], words)
    whole = replace(whole, predicted=torch.rand(whole.ids.shape, generator=torch.Generator().manual_seed(0)))
    parts = whole.split(2)
    assert [part.lists() for part in parts] == [whole.lists()[:2], whole.lists()[2:]]
    again = Picks.joined(parts, words)
    assert torch.equal(again.ids, whole.ids) and torch.equal(again.valid, whole.valid)
    assert torch.equal(again.predicted, whole.predicted) and again.log_probabilities is None
