"""Weighted sums of normalised scores."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.core.interfaces import TokenScorer
from framework.core.types import Scores
from framework.core.view import GroupView, Needs
from framework.testing import toys
from strategies.scorers.fusion import Fusion


@dataclass(frozen=True)
class Given(TokenScorer):
    """Says what it was told."""

    values: tuple[float, ...]
    asks: Needs = field(default_factory=Needs)

    @property
    def needs(self) -> Needs:
        return self.asks

    def score(self, view: GroupView) -> Scores:
        return Scores(torch.tensor(self.values), {"size": float(len(self.values))})

    def flops(self, view: GroupView) -> float:
        return float(len(self.values))


def _fused(parts: dict[str, tuple[float, ...]], weights: Mapping[str, float], normalise: str = "rank") -> list[float]:
    fusion = Fusion({name: Given(values) for name, values in parts.items()}, weights, normalise)
    return fusion.score(toys.view(Needs())).values.tolist()


def test_ranks_are_shared_by_ties() -> None:
    # ranks of a: 0 .5 .5 1 (of 3 steps: 0, 1.5, 1.5, 3); of b: 1, 2/3, 1/3, 0
    found = _fused({"a": (1.0, 2.0, 2.0, 100.0), "b": (9.0, 8.0, 7.0, 6.0)}, {"a": 1.0, "b": 3.0})
    assert found == pytest.approx([3.0, 2.5, 1.5, 1.0])


def test_operations_add_up() -> None:
    fusion = Fusion({"a": Given((1.0,) * 4), "b": Given((1.0,) * 3)}, {"a": 1.0, "b": 2.0}, "rank")
    assert fusion.flops(toys.view(Needs())) == 7.0


def test_zscores() -> None:
    # a: mean 2, deviation 1; b is constant and says nothing
    found = _fused({"a": (1.0, 3.0, 1.0, 3.0), "b": (0.1, 0.1, 0.1, 0.1)}, {"a": 2.0, "b": 5.0}, "zscore")
    assert found == pytest.approx([-2.0, 2.0, -2.0, 2.0])


def test_who_is_barred_by_one_is_barred_and_does_not_shift_the_rest() -> None:
    found = _fused({"a": (1.0, -math.inf, 3.0, 5.0), "b": (9.0, 8.0, -math.inf, 0.0)}, {"a": 1.0, "b": 1.0})
    assert found == [1.0, -math.inf, -math.inf, 1.0]  # the two that are left: ranks 0, 1 and 1, 0


def test_all_barred_and_a_single_token() -> None:
    assert _fused({"a": (-math.inf, -math.inf)}, {"a": 1.0}) == [-math.inf, -math.inf]
    assert _fused({"a": (4.0,)}, {"a": 1.0}) == [0.0]
    assert _fused({"a": (4.0,)}, {"a": 1.0}, "zscore") == [0.0]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.lists(st.integers(-50, 50), min_size=2, max_size=20),
    st.sampled_from(["rank", "zscore"]),
    st.floats(0.5, 20),
    st.floats(-30, 30),
)
def test_units_do_not_matter(values: list[int], normalise: str, factor: float, shift: float) -> None:
    a = tuple(float(v) for v in values)
    b = tuple(float((7 * i) % 5) for i in range(len(values)))
    rescaled = tuple(float(torch.tensor(v * factor + shift)) for v in a)
    weights = {"a": 1.0, "b": 0.5}
    assert _fused({"a": a, "b": b}, weights, normalise) == pytest.approx(
        _fused({"a": rescaled, "b": b}, weights, normalise), abs=1e-3
    )


def test_needs_are_the_union_and_signals_are_kept() -> None:
    parts = {"a": Given((1.0,), Needs(attention=(2,))), "b": Given((2.0,), Needs(pixels=True, attention=(1,)))}
    fusion = Fusion(parts, {"a": 1.0, "b": 1.0}, "rank")
    assert fusion.needs == Needs(attention=(1, 2), pixels=True)
    assert fusion.score(toys.view(Needs())).signals == {"a.size": 1.0, "b.size": 1.0}
    assert not fusion.comparable


@pytest.mark.parametrize(
    ("weights", "normalise", "message"),
    [
        ({"b": 1.0}, "rank", r"scorer\.weights must name scorer\.parts \['a'\], got \['b'\]"),
        ({"a": -1.0}, "rank", r"scorer\.weights must be >= 0"),
        ({"a": 0.0}, "rank", r"scorer\.weights must be >= 0 and not all 0"),
        ({"a": math.inf}, "rank", r"scorer\.weights must be >= 0"),
        ({"a": 1.0}, "max", r"scorer\.normalise must be rank or zscore"),
    ],
)
def test_bad_keys_are_named(weights: dict[str, float], normalise: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Fusion({"a": Given((1.0,))}, weights, normalise)
