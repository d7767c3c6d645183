"""The model answers once."""

from __future__ import annotations

from framework.core.types import Answer
from strategies.answerers.final import Final


def test_final_is_called_once_and_believed() -> None:
    calls: list[int] = []

    def final() -> Answer:
        calls.append(1)
        return Answer("B", 1, (0.2, 0.8))

    assert Final().answer([], final) == Answer("B", 1, (0.2, 0.8))
    assert len(calls) == 1 and Final().needs.nothing
