"""Signals read out of lines, and their AUROC against the one that counts pairs."""

from __future__ import annotations

from math import isnan
from typing import Any

import numpy as np
import pytest
from scipy import stats

from framework.evaluation.association import answer_signals, associations, auroc_interval, best_group_signals
from framework.evaluation.statistics import auroc, tail


def groups(relevance: list[float | None], kept: list[int | None], **signals: list[float | None]) -> dict[str, Any]:
    return {"relevance": relevance, "kept": kept, "signals": signals}


def test_best_group_is_the_most_relevant_visited_one() -> None:
    found = best_group_signals(
        {"groups": groups([None, -0.5, -0.1], [None, 9, 1], entropy=[None, 0.5, 0.1], top_option=[None, 1, 2])}
    )
    assert found == {"relevance": -0.1, "entropy": 0.1}  # which option is on top is no signal
    tie = groups([-0.1, -0.1, -0.1], [1, 3, 3], entropy=[0.0, 1.0, 2.0])
    assert best_group_signals({"groups": tie})["entropy"] == 1.0  # kept more, then earlier
    assert best_group_signals({"groups": groups([None], [None])}) == {} == best_group_signals({})


def test_answer_signals() -> None:
    assert answer_signals({"entropy": 0.25, "probabilities": [0.1, 0.7, 0.2]}) == {
        "entropy": 0.25,
        "top_probability": 0.7,
    }
    assert answer_signals({"entropy": None, "probabilities": []}) == {}


def test_auroc_and_its_interval_against_counting_pairs() -> None:
    generator = np.random.default_rng(1)
    place = np.repeat(np.arange(12), 4)
    values = generator.integers(0, 6, 48).astype(float)  # with ties
    right = generator.random(48) < 0.5

    def counted(drawn: np.ndarray) -> float:
        chosen = np.concatenate([np.flatnonzero(place == video) for video in drawn])
        return auroc(values[chosen][right[chosen]], values[chosen][~right[chosen]])

    drawn = stats.bootstrap(
        (np.arange(12),), counted, n_resamples=150, method="percentile", vectorized=False, rng=np.random.default_rng(7)
    ).bootstrap_distribution
    expected = np.quantile(drawn, [tail(12), 1 - tail(12)])
    found = auroc_interval(values.tolist(), right.tolist(), place.astype(str).tolist(), 150, 7)
    assert found.value == pytest.approx(auroc(values[right], values[~right]))
    # names are sorted as text, so the same draws are of other videos: near, and equal where the order is the same
    ordered = auroc_interval(values.tolist(), right.tolist(), [f"{video:02d}" for video in place], 150, 7)
    assert (ordered.low, ordered.high) == pytest.approx(tuple(expected))
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=0.06)


def test_undefined_without_wrong_answers_or_variation() -> None:
    assert isnan(auroc_interval([0.1, 0.2], [True, True], ["a", "b"], 100, 0).value)
    assert isnan(auroc_interval([0.1, 0.1], [True, False], ["a", "b"], 100, 0).value)
    perfect = auroc_interval([0.1, 0.2, 0.3, 0.4], [False, False, True, True], list("abab"), 100, 0)
    assert perfect.value == 1.0 and isnan(perfect.low)


def test_associations_of_lines() -> None:
    lines = [
        {
            "video": f"v{i}",
            "correct": float(i % 3 > 0),
            "entropy": 1.0 - i % 3 / 2,
            "probabilities": [0.5, 0.5] if i % 2 else [],
            "groups": groups([-0.5, None], [1, None], margin=[i / 30, None]),
        }
        for i in range(30)
    ]
    found = {(one.reading, one.signal): one for one in associations(lines, resamples=200)}
    assert set(found) == {
        ("answer", "entropy"),
        ("answer", "top_probability"),
        ("best group", "margin"),
        ("best group", "relevance"),
    }
    entropy = found["answer", "entropy"]
    assert (entropy.n, entropy.right, entropy.auroc.value) == (30, 20, 0.0)  # low wherever the answer is right
    assert entropy.spearman < -0.8
    assert found["answer", "top_probability"].n == 15
    assert 0.4 < found["best group", "margin"].auroc.value < 0.7
