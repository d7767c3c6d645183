"""The lookup by hand, its order, and what it refuses."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from strategies.learned.autogaze.gaze.calibration import Calibration, as_loss, as_predicted

TABLE = Calibration("log", (-3.0, -2.0, -1.0, 0.0), (0.2, 0.4, 0.3, 0.8), (9.0, 4.0, 5.0, 1.0), 10)


def test_by_hand() -> None:
    assert TABLE.loss_threshold(0.2) == -3.0
    assert TABLE.loss_threshold(0.3) == pytest.approx(-2.5)
    assert TABLE.loss_threshold(0.4) == -1.0  # .3 counts as .4, and the larger threshold costs less
    assert TABLE.loss_threshold(0.6) == pytest.approx(-0.5)
    assert TABLE.loss_threshold(0.9) == TABLE.loss_threshold(1) == 0.0
    assert TABLE.loss_threshold(0.05) == -3.0 and not TABLE.reachable(0.05) and TABLE.reachable(0.2)


@given(st.lists(st.floats(0.01, 1.2), min_size=1, max_size=8), st.floats(0.001, 1), st.floats(0.001, 1))
def test_a_looser_error_never_asks_for_a_stricter_threshold(errors: list[float], one: float, two: float) -> None:
    table = Calibration("plain", tuple(range(len(errors))), tuple(errors), tuple(errors), 10)
    low, high = table.loss_threshold(min(one, two)), table.loss_threshold(max(one, two))
    assert low <= high and table.thresholds[0] <= low and high <= table.thresholds[-1]


def test_through_a_header_and_back() -> None:
    assert Calibration.read(json.loads(json.dumps(TABLE.stored()))) == TABLE


def test_there_and_back() -> None:
    losses = torch.tensor([0.01, 0.3, 2.5])
    assert torch.allclose(as_predicted(losses, "log"), losses.log()) and torch.equal(as_loss(losses, "plain"), losses)
    assert torch.allclose(as_loss(as_predicted(losses, "log"), "log"), losses)
    assert bool(as_predicted(torch.zeros(1), "log").isfinite().all())


@pytest.mark.parametrize("epsilon", [0.0, -0.1, 1.01, math.nan, math.inf])
def test_what_can_not_be_meant(epsilon: float) -> None:
    with pytest.raises(ValueError, match=r"epsilon must lie within \(0, 1\]"):
        TABLE.loss_threshold(epsilon)


def test_tables_that_are_none() -> None:
    for change, said in (
        ({"thresholds": (0.0, -1.0, 1.0, 2.0)}, "must rise"),
        ({"errors": (0.1,)}, r"as many errors and picks as thresholds, got \[4, 1, 4\]"),
        ({"errors": (0.1, math.nan, 0.2, 0.3)}, "finite"),
        ({"space": "exp"}, "plain, log, got 'exp'"),
    ):
        with pytest.raises(ValueError, match=said):
            replace(TABLE, **change)  # type: ignore[arg-type]
