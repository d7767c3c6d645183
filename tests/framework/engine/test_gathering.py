"""Tokens of several groups in one temporal order: what joining and sorting them gives, copied once."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from framework.core.types import Tokens
from framework.engine.gathering import ROWS, in_order
from framework.testing import toys


def part(ticks: list[int], seed: int, count: int) -> tuple[Tokens, Tensor]:
    """Tokens of some ticks with a number of their own, and `count` rows of them in ascending order."""
    made = toys.tokens(torch.tensor(sorted(ticks)), seed)
    noise = torch.Generator().manual_seed(seed)
    made = replace(made, extra={"mark": torch.randint(0, 2**40, (len(made), 2), generator=noise)})
    return made, torch.randperm(len(made), generator=noise)[:count].sort().values


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.sets(st.integers(0, 12), min_size=1), st.integers(0, 40)), min_size=1, max_size=5),
    st.integers(0, 99),
)
def test_equals_joining_and_sorting(shapes: list[tuple[set[int], int]], seed: int) -> None:
    """Also where two groups hold the same tick: the earlier group comes first."""
    parts = [part(list(ticks), seed + number, count) for number, (ticks, count) in enumerate(shapes)]
    found, order = in_order(parts)
    joined = Tokens.cat([tokens[rows] for tokens, rows in parts])
    by_hand = sorted(range(len(joined)), key=lambda at: int(joined.tick[at]))
    assert order.tolist() == by_hand
    for field in fields(Tokens):
        if field.name != "extra":
            assert torch.equal(getattr(found, field.name), getattr(joined, field.name)[by_hand])
    assert torch.equal(found.extra["mark"], joined.extra["mark"][by_hand])


def test_more_rows_than_are_copied_at_a_time() -> None:
    ticks = list(range(0, 120, 2))
    first, second = part(ticks, 1, 2 * ROWS + 7), part([tick + 1 for tick in ticks], 2, ROWS)
    found, order = in_order([first, second])
    assert len(found) == len(order) == 3 * ROWS + 7 and bool((found.tick.diff() >= 0).all())
    even = found.tick % 2 == 0
    assert torch.equal(found.embeddings[even], first[0].embeddings[first[1]])
    assert torch.equal(found.embeddings[~even], second[0].embeddings[second[1]])


def test_half_precision_stays_and_nothing_is_refused() -> None:
    tokens, rows = part([3, 4], 0, 5)
    half = replace(tokens, embeddings=tokens.embeddings.bfloat16())
    assert in_order([(half, rows)])[0].embeddings.dtype == torch.bfloat16
    with pytest.raises(ValueError, match="no tokens to gather"):
        in_order([])


def test_tokens_go_where_they_are_wanted_and_their_order_stays() -> None:
    found, order = in_order([part([1, 2], 0, 6)], torch.device("meta"))
    assert found.embeddings.device.type == found.extra["mark"].device.type == found.tick.device.type == "meta"
    assert order.tolist() == [0, 1, 2, 3, 4, 5]
