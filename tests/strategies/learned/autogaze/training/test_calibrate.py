"""A table that is measured: its ends, its order, and that its rows are what stopping there gives."""

from __future__ import annotations

import pytest
import torch

from strategies.learned.autogaze.gaze.decoding import Control, gaze_clip
from strategies.learned.autogaze.gaze.model import Gaze, GazeConfig
from strategies.learned.autogaze.reconstructor.config import ReconstructorConfig
from strategies.learned.autogaze.reconstructor.model import Reconstructor
from strategies.learned.autogaze.training.calibrate import CalibrationSettings, calibrate
from strategies.learned.autogaze.training.metrics import held_out_losses, nothing, true_loss

GAZE = GazeConfig((32, 48), 16, 16, 1, 2, 16, 3, 1, 3, 1e4, None, 512)
RECONSTRUCTOR = ReconstructorConfig((32, 48), 16, 4, 16, 1, 2, 16, 16, 1, 2, 16, True, True, False)


@pytest.fixture
def made() -> tuple[Gaze, Reconstructor, torch.Tensor]:
    torch.manual_seed(0)
    return Gaze(GAZE).eval(), Reconstructor(RECONSTRUCTOR).eval(), torch.randn(5, 3, 3, 48, 48)


def test_rows_are_what_stopping_there_gives(made: tuple[Gaze, Reconstructor, torch.Tensor]) -> None:
    gaze, reconstructor, pixels = made
    table = calibrate(gaze, reconstructor, pixels, CalibrationSettings(5, 6, 4, 2), "log")
    assert table.space == "log" and table.most == 4 and len(table.thresholds) == 6
    assert table.picks[0] == 4.0  # nothing stops at the smallest
    assert table.picks[-1] < 2
    assert all(a >= b - 1e-6 for a, b in zip(table.picks, table.picks[1:], strict=False))
    for threshold, error, count in zip(table.thresholds, table.errors, table.picks, strict=True):
        picks = gaze_clip(gaze, pixels, Control(4, threshold))
        share = true_loss(reconstructor, pixels, picks).mean(1) / nothing(reconstructor, pixels).mean(1)
        assert error == pytest.approx(share.mean().item(), rel=1e-5)
        assert count == pytest.approx(picks.counts.float().mean().item())


def test_held_out_numbers_by_hand(made: tuple[Gaze, Reconstructor, torch.Tensor]) -> None:
    gaze, reconstructor, pixels = made
    table = held_out_losses(gaze, reconstructor, pixels, [1, 3], "plain", 2)
    for budget in (1, 3):
        picks = gaze_clip(gaze, pixels, Control(budget))
        true = true_loss(reconstructor, pixels, picks)
        assert table[f"loss at {budget}"] == pytest.approx(true.mean().item(), rel=1e-5)
    assert set(table) == {"loss at 1", "off at 1", "loss at 3", "off at 3"}
    assert all(value > 0 for value in table.values())


def test_mistakes() -> None:
    with pytest.raises(ValueError, match=r"recipe.calibration.rows must be at least 2, got 1"):
        CalibrationSettings(5, 1, 4, 2)
