"""How many patches are needed for an error, read off a curve of picks and losses, with intervals over clips."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from framework.evaluation.statistics import Interval, cluster_interval

Floats = NDArray[np.float64]
RESAMPLES, SEED = 2000, 0
AT_MOST, AT_LEAST, NOT_REACHED = "at most", "at least", "not reached"


@dataclass(frozen=True)
class Points:
    """Holds picks and mean loss of every clip at every setting of a policy, each f64 [S, N]."""

    picks: Floats
    loss: Floats


def crossing(picks: Floats, loss: Floats, error: float) -> Floats:
    """Returns the fewest picks at which curves [R, S] come down to the error, f64 [R].

    Points are taken in order of their picks. Between points a curve is linear in log picks. Where the first point is
    already below, its picks count. NaN stands where the error is never reached.
    """
    order = picks.argsort(1, kind="stable")
    x, y = np.log(np.take_along_axis(picks, order, 1)), np.take_along_axis(loss, order, 1)
    reached = y <= error
    here = reached.argmax(1)[:, None]
    last = np.maximum(here - 1, 0)
    x0, x1, y0, y1 = (np.take_along_axis(v, place, 1)[:, 0] for v in (x, y) for place in (last, here))
    fall = y0 - y1
    share = np.divide(y0 - error, fall, out=np.ones_like(fall), where=fall > 0)
    found = np.exp(x0 + share * (x1 - x0))
    return np.where(reached.any(1), found, np.nan)


def _of_drawn(points: Points, drawn: Floats, error: float) -> Floats:
    """f64 [R]: of samples in which clip n stands drawn[r, n] times."""
    total = drawn.sum(1, keepdims=True)
    return crossing(drawn @ points.picks.T / total, drawn @ points.loss.T / total, error)


def needed(points: Points, error: float) -> tuple[Interval, str]:
    """Returns how many picks a clip needs for the error, and a note.

    The note is AT_MOST where the curve begins at or below the error. It is NOT_REACHED, with NaN, where the curve ends
    above, and empty otherwise.
    """
    found = cluster_interval(lambda drawn: _of_drawn(points, drawn, error), points.picks.shape[1], RESAMPLES, SEED)
    first = points.picks.mean(1).argmin()
    if math.isnan(found.value):
        return found, NOT_REACHED
    return found, AT_MOST if points.loss[first].mean() <= error else ""


def times(points: Points, other: Points, error: float) -> Interval:
    """Returns how many times the picks of `other` are needed for the error, on the same clips.

    Raises ValueError where the numbers of clips differ.
    """
    if points.picks.shape[1] != other.picks.shape[1]:
        raise ValueError(f"the same clips are needed, got {points.picks.shape[1]} and {other.picks.shape[1]}")
    return cluster_interval(
        lambda drawn: _of_drawn(points, drawn, error) / _of_drawn(other, drawn, error),
        points.picks.shape[1],
        RESAMPLES,
        SEED,
    )
