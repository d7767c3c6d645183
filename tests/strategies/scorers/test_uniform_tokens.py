"""The evenly spread order: every prefix is spread evenly, in time and over the picture."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.core.types import Layout
from framework.core.view import Needs
from framework.testing import toys
from strategies.scorers.uniform_tokens import UniformTokens


def _top(n: int, k: int, width: int = 1) -> list[int]:
    at = torch.arange(n)
    view = replace(toys.view(Needs(), ticks=1), layout=Layout(at // width, at * 0, at % width, (8, 8)))
    values = UniformTokens().score(view).values
    assert sorted(values.tolist()) == list(range(1, n + 1))  # N - rank
    return sorted(values.argsort(descending=True)[:k].tolist())


def test_the_middle_comes_first() -> None:
    assert [_top(n, 1) for n in (1, 2, 3, 9)] == [[0], [1], [1], [4]]


def test_a_small_group_by_hand() -> None:
    # (n - 2) x .618 mod 1 for n = 0..4: .764 .382 0 .618 .236
    assert [_top(5, k) for k in range(1, 6)] == [[2], [2, 4], [1, 2, 4], [1, 2, 3, 4], [0, 1, 2, 3, 4]]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(1, 1500), st.data())
def test_every_prefix_is_spread_evenly(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(1, n))
    chosen = _top(n, k)
    gaps = {b - a for a, b in pairwise(chosen)}
    assert len(gaps) <= 3  # the three-distance theorem
    assert not gaps or max(gaps) <= 3 * min(gaps)
    for low, high in ((0, n // 2), (n // 4, 3 * n // 4), (n // 2, n)):
        assert abs(sum(low <= i < high for i in chosen) - k * (high - low) / n) <= 3


@pytest.mark.parametrize("width", [4, 8, 16])
def test_no_column_of_the_picture_is_preferred(width: int) -> None:
    counts = Counter(i % width for i in _top(64 * width, 16 * width, width))
    assert len(counts) == width and 10 <= min(counts.values()) <= max(counts.values()) <= 22  # 16 each were perfect


def test_it_needs_nothing() -> None:
    assert UniformTokens().needs.nothing
