"""Which weights are meant, and the threshold that a user's error asks for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from framework.core.errors import UsageError
from strategies.learned.autogaze.gaze import checkpoint
from strategies.learned.autogaze.gaze.calibration import Calibration
from strategies.learned.autogaze.gaze.model import Gaze
from strategies.learned.autogaze.gaze.source import Source

TABLE = Calibration("plain", (0.1, 0.2, 0.4), (0.25, 0.5, 0.9), (6.0, 3.0, 1.0), 9)


def test_epsilon_goes_through_the_calibration(small: Callable[..., Gaze], tmp_path: Path) -> None:
    checkpoint.save(small(), tmp_path, {}, TABLE.stored())
    source = Source(str(tmp_path))
    assert source.finest == 3 and source.gaze.config == small().config
    assert source.threshold(None, 0.5) == pytest.approx(0.2)
    assert source.threshold(None, 0.7) == pytest.approx(0.3)
    assert source.threshold(None, 0.01) == pytest.approx(0.1)  # below all that was reached: as careful as measured
    assert source.threshold(-7.5, None) == -7.5
    assert source.threshold(None, None) is None
    with pytest.raises(ValueError, match="two ways"):
        source.threshold(0.1, 0.5)


@pytest.mark.parametrize("epsilon", [0.0, -1.0, 1.01, float("nan")])
def test_an_error_that_cannot_be_meant_is_refused(epsilon: float) -> None:
    with pytest.raises(ValueError, match=r"epsilon must lie within \(0, 1\]"):
        Source("random:0").threshold(None, epsilon)


def test_weights_that_are_not_finite_name_the_key(small: Callable[..., Gaze], tmp_path: Path) -> None:
    gaze = small()
    gaze.positions.data.view(-1)[0] = float("inf")
    checkpoint.save(gaze, tmp_path, {}, TABLE.stored())
    with pytest.raises(UsageError, match=r"^teacher\.gaze: .*: positions holds numbers that are not finite"):
        _ = Source(str(tmp_path), "teacher.gaze").gaze


def test_weights_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"autogaze\.checkpoint is not set"):
        Source(None)
    with pytest.raises(ValueError, match=r"autogaze\.checkpoint: there is no"):
        Source(str(tmp_path / "nothing"))
    with pytest.raises(ValueError, match="needs a calibration"):
        Source("random:0").threshold(None, 0.5)
    with pytest.raises(ValueError, match=r"^gaze\.checkpoint: there is no"):
        Source(str(tmp_path / "nothing"), "gaze.checkpoint")


def test_what_the_loss_heads_say_is_stored(small: Callable[..., Gaze], tmp_path: Path) -> None:
    assert Source("random:0").space == "plain"
    checkpoint.save(small(), tmp_path / "noted", {"loss_space": "log"})
    assert Source(str(tmp_path / "noted")).space == "log"
    checkpoint.save(small(), tmp_path / "measured", {"loss_space": "log"}, TABLE.stored())
    assert Source(str(tmp_path / "measured")).space == "plain"
