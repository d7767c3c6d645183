"""The error of any set against plain loops; who may stand for whom."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.ops.greedy import facility as module
from framework.ops.greedy.facility import Facility, Reach

OneCell = Callable[[torch.Tensor, Reach], Facility]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(1, 12), st.integers(0, 10**6), st.sampled_from(["pixels", "features"]), st.data())
def test_error_and_gain_of_any_set(small: type, n: int, seed: int, space: str, data: st.DataObject) -> None:
    made = small(n, seed, space)
    state, kept = made.facility(), list[int]()
    assert len(state) == n and state.error == pytest.approx(made.error([]), abs=2e-5)
    for token in data.draw(st.permutations(range(n)), "order"):
        gain = state.gain(token)
        state.take(token)
        assert gain == pytest.approx(made.error(kept) - made.error([*kept, token]), abs=2e-5)
        kept.append(token)
        assert state.error == pytest.approx(made.error(kept), abs=2e-5) and state.gain(token) == 0.0
    assert state.error == 0.0


def test_by_hand(one_cell: OneCell) -> None:
    """Brightness 0, 0, 0, 8 over four ticks: the mean is 2, so nothing kept leaves (2 + 2 + 2 + 6) / 4."""
    state = one_cell(torch.tensor([[0.0], [0.0], [0.0], [8.0]]), Reach(0, "bidirectional", None, False))
    assert state.error == 3.0 and [state.gain(t) for t in range(4)] == [1.5, 1.5, 1.5, 1.5]
    state.take(1)
    assert state.error == 1.5 and [state.gain(t) for t in range(4)] == [0.0, 0.0, 0.0, 1.5]


def test_what_a_token_stands_for(one_cell: OneCell) -> None:
    """Gain of every tick of a still picture, in ticks explained."""
    vectors = torch.ones(6, 1)
    for reach, explained in (
        (Reach(0, "bidirectional", None, False), [6, 6, 6, 6, 6, 6]),
        (Reach(0, "causal", None, False), [6, 5, 4, 3, 2, 1]),
        (Reach(0, "bidirectional", 2, False), [2, 2, 2, 2, 2, 2]),
        (Reach(0, "bidirectional", 2, True), [6, 6, 4, 4, 2, 2]),
        (Reach(0, "causal", 2, True), [6, 5, 4, 3, 2, 1]),
        (Reach(0, "causal", 2, False), [2, 1, 2, 1, 2, 1]),
    ):
        state = one_cell(vectors, reach)
        state._left[:-1] = 1.0  # as if the mean explained nothing
        assert [round(6 * state.gain(t)) for t in range(6)] == explained, reach


def test_the_order_of_frames_matters_to_causal_errors_alone(one_cell: OneCell) -> None:
    """Three dark frames, three bright ones, the first of each kept; then the same frames backwards."""
    vectors = torch.tensor([[0.0], [0.0], [0.0], [8.0], [8.0], [8.0]])
    for direction, forwards, backwards in (("bidirectional", 0.0, 0.0), ("causal", 0.0, 4 * 4 / 6)):
        for frames, kept, error in ((vectors, (0, 3), forwards), (vectors.flip(0), (5, 2), backwards)):
            state = one_cell(frames, Reach(0, direction, None, False))
            for token in kept:
                state.take(token)
            assert state.error == pytest.approx(error)


def test_weights_count_in_proportion() -> None:
    vectors, place = torch.tensor([[0.0], [4.0]]), torch.tensor([[0, 1], [0, 0], [0, 0]])
    state = Facility(vectors, place, torch.tensor([3.0, 1.0]), "pixels", Reach(0, "causal", None, False))
    assert state.error == 2.0 and [state.gain(0), state.gain(1)] == [1.5, 0.5]


@pytest.mark.parametrize(
    ("reach", "why"),
    [((-1, "causal", None, False), "radius must be >= 0"), ((0, "backward", None, False), "bidirectional, causal"),
     ((0, "causal", 0, False), "clip must be null or >= 1")],
)  # fmt: skip
def test_a_reach_that_cannot_be(reach: tuple[int, str, int | None, bool], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Reach(*reach)


def test_a_group_that_is_too_large_says_what_to_change(one_cell: OneCell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 30)
    assert math.isfinite(one_cell(torch.rand(5, 2), Reach(0, "causal", None, False)).error)
    with pytest.raises(ValueError, match=r"6 tokens over 6 ticks has 36 distances.*splitter.ticks_per_group"):
        one_cell(torch.rand(6, 2), Reach(0, "causal", None, False))
