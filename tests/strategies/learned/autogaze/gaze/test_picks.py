"""What a gaze picked: the last prediction of every frame."""

from __future__ import annotations

import torch

from strategies.learned.autogaze.gaze.picks import Picks


def test_the_last_prediction_belongs_to_the_last_pick() -> None:
    valid = torch.tensor([[[True, True, True], [True, False, False]], [[True, False, True], [False, False, False]]])
    predicted = torch.arange(12.0).view(2, 2, 3)
    picks = Picks(torch.zeros(2, 2, 3, dtype=torch.long), valid, predicted)
    assert picks.last_predicted[0].tolist() == [2, 3], "three picks, then one"
    assert picks.last_predicted[1, 0] == 8, "a gap does not matter"
    assert Picks(picks.ids, valid).last_predicted.isnan().all() and picks.last_predicted.shape == (2, 2)
