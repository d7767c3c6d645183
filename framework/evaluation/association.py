"""How well a signal tells right answers from wrong ones, out of result lines.

A signal is read twice: of the final answer, and of the best group, which is the most relevant of those visited. Signals
are taken as they are recorded: an AUROC below .5 says that the signal is low where the answer is right, as entropy is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from framework.evaluation.statistics import Floats, Interval, cluster_interval, cluster_places, spearman

RESAMPLES = 1_000
RIGHT = 0.5  # scores above count as right where only right and wrong are told apart
NOT_SIGNALS = ("outcomes", "top_option")  # recorded beside the signals: how many outcomes, and which one
Line = Mapping[str, Any]


@dataclass(frozen=True)
class Association:
    """Says how well one signal tells right answers from wrong ones."""

    reading: str  # "answer" or "best group"
    signal: str
    n: int  # answers that have it
    right: int  # of those
    spearman: float
    auroc: Interval  # chance that it is higher in a right answer than in a wrong one, ties counting half


def associations(lines: Sequence[Line], resamples: int = RESAMPLES, seed: int = 0) -> list[Association]:
    """Compares every signal that the lines hold with their score."""
    readings: dict[tuple[str, str], list[tuple[float, Line]]] = {}
    for line in lines:
        for reading, values in (("answer", answer_signals(line)), ("best group", best_group_signals(line))):
            for name, value in values.items():
                readings.setdefault((reading, name), []).append((value, line))
    return [_one(*key, pairs, resamples, seed) for key, pairs in sorted(readings.items())]


def answer_signals(line: Line) -> dict[str, float]:
    """Returns the signals of the final answer, where it has them.

    They are its entropy (nats) and the probability of its likeliest option.
    """
    entropy, probabilities = line.get("entropy"), line.get("probabilities")
    found = {} if entropy is None else {"entropy": float(entropy)}
    return found | ({"top_probability": float(max(probabilities))} if probabilities else {})


def best_group_signals(line: Line) -> dict[str, float]:
    """Returns the relevance and the signals of the most relevant visited group.

    Of equals it is the one that kept more, then the earlier.
    """
    groups = line.get("groups") or {}
    relevance, kept = groups.get("relevance", []), groups.get("kept", [])
    visited = [place for place, value in enumerate(relevance) if value is not None]
    if not visited:
        return {}
    best = max(visited, key=lambda place: (relevance[place], kept[place] or 0, -place))
    signals = {name: values[best] for name, values in groups.get("signals", {}).items() if name not in NOT_SIGNALS}
    return {name: float(v) for name, v in {"relevance": relevance[best], **signals}.items() if v is not None}


def auroc_interval(
    values: Sequence[float], right: Sequence[bool], clusters: Sequence[str], resamples: int, seed: int
) -> Interval:
    """Computes the AUROC with its interval by drawing clusters (videos) with replacement.

    It is NaN where the signal never varies, or where everything is right, or wrong. Where it is 0 or 1 there is no
    interval, for that would claim certainty.
    """
    if len(set(values)) < 2:
        return Interval(math.nan, math.nan, math.nan)
    order = np.argsort(np.asarray(values, float), kind="stable")
    is_right = np.asarray(right, bool)[order]
    place = cluster_places(clusters)[order]
    _, starts = np.unique(np.asarray(values, float)[order], return_index=True)  # where each group of ties begins

    def statistic(drawn: Floats) -> Floats:
        weight = drawn[:, place]  # [resamples, questions]
        positive = np.add.reduceat(weight * is_right, starts, axis=1)
        negative = np.add.reduceat(weight * ~is_right, starts, axis=1)
        below = negative.cumsum(1) - negative / 2  # wrong ones below a tie, and half of those in it
        pairs = positive.sum(1) * negative.sum(1)
        return np.divide((positive * below).sum(1), pairs, out=np.full(len(drawn), math.nan), where=pairs > 0)

    found = cluster_interval(statistic, int(place.max()) + 1, resamples, seed)
    told_apart = found.value in (0.0, 1.0)  # by every resample, too: an interval would claim certainty
    return Interval(found.value, math.nan, math.nan) if told_apart else found


def _one(reading: str, signal: str, pairs: Sequence[tuple[float, Line]], resamples: int, seed: int) -> Association:
    values = [value for value, _ in pairs]
    correct = [float(line["correct"]) for _, line in pairs]
    right = [score > RIGHT for score in correct]
    videos = [line["video"] for _, line in pairs]
    interval = auroc_interval(values, right, videos, resamples, seed)
    return Association(reading, signal, len(values), sum(right), spearman(values, correct), interval)
