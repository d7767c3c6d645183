"""Agreement, contradiction and the lead, by hand."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.core.types import Answer, Group, Relevance, ScoredGroup
from strategies.stopping.agreement import Agreement

CERTAIN, UNSURE = 0.02, 1.3


def seen(*said: tuple[int | str, float]) -> list[ScoredGroup]:
    """Groups that gave an option (int) or words (str), each with an entropy."""
    found = []
    for index, (answer, entropy) in enumerate(said):
        signals = {"entropy": entropy} | ({"top_option": float(answer)} if isinstance(answer, int) else {})
        own = Answer(str(answer))
        group = Group(index, torch.tensor([index]))
        found.append(ScoredGroup(group, torch.zeros(1), Relevance(-9.0, 9.0, "nats"), signals, own))
    return found


def test_two_that_agree_are_enough_two_that_differ_are_not() -> None:
    rule = Agreement(groups=2, entropy=0.1, lead=2)
    assert rule.enough(seen((1, CERTAIN), (3, UNSURE), (1, CERTAIN)), 5)
    assert not rule.enough(seen((1, CERTAIN), (3, CERTAIN)), 5)


def test_an_unsure_group_does_not_vote() -> None:
    rule = Agreement(groups=2, entropy=0.1, lead=0)
    assert not rule.enough(seen((1, CERTAIN), (1, UNSURE)), 5)


def test_a_false_confident_group_costs_one_more_that_agrees() -> None:
    rule = Agreement(groups=2, entropy=0.1, lead=2)
    votes = [(0, CERTAIN), (2, CERTAIN), (2, CERTAIN), (2, CERTAIN)]
    assert [rule.enough(seen(*votes[:n]), 5) for n in range(5)] == [False, False, False, False, True]
    assert Agreement(groups=2, entropy=0.1, lead=1).enough(seen(*votes[:3]), 5)


def test_open_answers_agree_by_their_words() -> None:
    rule = Agreement(groups=2, entropy=0.1, lead=1)
    assert rule.enough(seen(("A red  star", CERTAIN), ("a Red star ", CERTAIN)), 5)
    assert not rule.enough(seen(("a red star", CERTAIN), ("a red moon", CERTAIN)), 5)


@settings(max_examples=40, deadline=None)
@given(
    said=st.lists(st.tuples(st.integers(0, 3), st.sampled_from([CERTAIN, UNSURE])), max_size=15), lead=st.integers(0, 3)
)
def test_stops_only_where_the_most_said_leads_by_enough(said: list[tuple[int, float]], lead: int) -> None:
    counts = sorted((sum(s == (option, CERTAIN) for s in said) for option in range(4)), reverse=True)
    expected = counts[0] >= 2 and counts[0] - counts[1] >= lead
    assert Agreement(2, 0.1, lead).enough(seen(*said), 1) == expected


def test_needs_and_bad_keys() -> None:
    assert Agreement(2, 0.1, 1).needs.logits
    with pytest.raises(ValueError, match=r"stopping\.groups must be >= 1, got 0"):
        Agreement(0, 0.1, 1)
    with pytest.raises(ValueError, match=r"stopping\.lead must be >= 0 groups, got -1"):
        Agreement(1, 0.1, -1)
