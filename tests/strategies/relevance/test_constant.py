"""Every group alike, nothing asked for."""

from __future__ import annotations

import torch

from framework.core.types import Group, Layout, Question, Relevance
from framework.core.view import GroupView
from strategies.relevance.constant import Constant


def test_needs_nothing_and_says_zero() -> None:
    nothing = torch.zeros(1, dtype=torch.long)
    layout = Layout(nothing, nothing, nothing, (28, 28))
    view = GroupView(Group(0, nothing), Question("q", "Who ?", "Who ?"), layout, nothing.double())
    assert Constant().needs.nothing
    assert Constant().relevance(view) == Relevance(0.0, 0.0, "none")
