"""Counts that no rounding spoils, the entropy by hand, and bounds in order."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.learned.qtsplus.budget import BudgetHead, entropy, kept_count


@pytest.mark.parametrize(
    ("rho", "count", "most", "expected"),
    [
        (0.1028, 68_000, None, 6_991),  # 7,008 where it is computed in bf16
        (0.1, 1_000, None, 100),
        (0.1, 600, None, 60),
        (0.11, 512, None, 57),
        (0.3, 10, None, 3),
        (0.31, 10, None, 4),
        (0.001, 10, None, 1),
        (1.0, 10, None, 10),
        (0.5, 10, 3, 3),
        (0.5, 10, 99, 5),
    ],
)
def test_counts_by_hand(rho: float, count: int, most: int | None, expected: int) -> None:
    assert kept_count(torch.tensor([rho]), torch.tensor([count]), most).tolist() == [expected]


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 200_000), st.integers(1, 200_000))
def test_a_whole_number_of_tokens_is_kept_exactly(part: int, count: int) -> None:
    part = min(part, count)
    assert kept_count(torch.tensor([part / count]), torch.tensor([count]), None).tolist() == [part]


@settings(max_examples=50, deadline=None)
@given(st.floats(2**-13, 1.0, width=32), st.integers(1, 100_000))
def test_rounding_up(rho: float, count: int) -> None:
    exact = math.ceil(Fraction(rho) * count)
    found = int(kept_count(torch.tensor([rho]), torch.tensor([count]), None))
    assert found in (exact, max(1, exact - 1)) and found >= rho * count * (1 - 2e-7)


def test_entropy_by_hand() -> None:
    shares = torch.tensor([[0.5, 0.25, 0.25, 0.0], [1.0, 0.0, 0.0, 0.0]])
    mask = torch.tensor([[True, True, True, False], [True, False, False, False]])
    found = entropy((shares * 0.01).log(), mask)  # whatever they sum to
    assert found.tolist() == pytest.approx([0.5 * math.log(2) + 0.5 * math.log(4), 0.0], abs=1e-4)


@pytest.mark.parametrize(("low", "high"), [(0.5, 0.1), (0.0, 0.5), (0.1, 1.5), (-0.1, 0.5)])
def test_bounds_in_order(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="0 < rho_min <= rho_max <= 1"):
        BudgetHead(16, low, high, scaled=True)


@pytest.mark.parametrize("scaled", [True, False])
def test_the_ratio_is_computed_in_fp32(selector, batch, scaled: bool) -> None:
    """Under autocast it is the same; with bf16 weights it is that of the same weights in fp32."""
    _, mask, query, query_mask, _ = batch(2, 400, 5)
    head, log_scores = selector(scaled=scaled).budget, torch.randn(2, 400)
    arguments = (log_scores, mask, query, query_mask)
    plain = head(*arguments)
    with torch.autocast("cpu", torch.bfloat16):
        assert all(torch.equal(a, b) for a, b in zip(head(*arguments), plain, strict=True))
    rho = head.bfloat16()(*arguments)[0]
    assert rho.dtype == torch.float32 and torch.equal(rho, head.float()(*arguments)[0])


def test_scaled_features_hear_the_question(selector, batch) -> None:
    """As published, a question as small as real embeddings moves the ratio by next to nothing."""
    moved = {}
    for scaled in (True, False):
        head, (_, mask, query, query_mask, _) = selector(scaled=scaled).budget, batch(2, 400, 5)
        log_scores = torch.randn(1, 400, generator=torch.Generator().manual_seed(1)).expand(2, -1)
        rho = head(log_scores, mask, 0.02 * query, query_mask)[0].detach()
        moved[scaled] = float((rho[0] - rho[1]).abs())
    assert moved[True] > 10 * moved[False]
