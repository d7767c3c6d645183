"""What a picture tells, from an outcome and from lines of every age."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import pytest

from framework.core.outcome import Cost, GroupTrace, Outcome, Trace
from framework.core.types import Answer, Question
from framework.report.story import Story, of_line, of_outcome

GROUPS: dict[str, Any] = {
    "visited": [1, None, 0],
    "relevance": [-0.2, None, -1.2],
    "quota": [3, None, 0],
    "kept": [2, None, 0],
    "choice": [1, None, 0],
    "signals": {"entropy": [0.2, None, 1.2], "margin": [None, None, 0.1]},
}
LINE: dict[str, Any] = {
    "id": "q",
    "question": "what\n is it ?\x1b[31m",
    "options": ["red", "blue"],
    "answer": "B",
    "choice": 1,
    "right": "A",
    "correct": 0.0,
    "probabilities": [0.25, 0.75],
    "groups": GROUPS,
}


def test_a_line_is_told_with_its_groups() -> None:
    story = of_line(json.loads(json.dumps(LINE)))
    assert (story.question, story.answered, story.expected) == ("what is it ?", "B  blue", "A  red")
    assert (story.right, story.correct, story.timed) == (0, 0.0, False)
    assert story.chance == pytest.approx(-math.log(2))
    first, skipped, last = story.groups
    assert (first.visited, first.relevance, first.quota, first.kept, first.choice) == (1, -0.2, 3, 2, 1)
    assert skipped.visited is None and skipped.relevance is None
    assert first.signals == {"entropy": 0.2} and last.signals == {"entropy": 1.2, "margin": 0.1}


def test_an_older_line_is_told_without_its_words() -> None:
    story = of_line({key: value for key, value in LINE.items() if key not in ("question", "options")})
    assert (story.question, story.answered, story.expected) == ("", "B", "A")
    assert story.right == 0 and story.chance == pytest.approx(-math.log(2))


@pytest.mark.parametrize(
    ("changed", "answered", "expected"),
    [
        ({"choice": None, "answer": "a red\nstar", "right": "the star"}, "a red star", "the star"),
        ({"choice": None, "answer": "", "right": None}, "(nothing)", ""),
        ({"choice": None, "answer": "A", "right": "A"}, "A", "A"),  # an open question whose answer is a letter
    ],
)
def test_open_questions(changed: Mapping[str, Any], answered: str, expected: str) -> None:
    story = of_line({**LINE, "options": [], "probabilities": [], **changed})
    assert (story.answered, story.expected, story.chance) == (answered, expected, None)


def test_certainty_is_the_relevance_or_else_minus_the_entropy() -> None:
    name, values = of_line(LINE).certainty
    assert name.startswith("relevance") and values == {0: -0.2, 2: -1.2}
    alike = {**GROUPS, "relevance": [0.0, None, 0.0]}
    name, values = of_line({**LINE, "groups": alike}).certainty
    assert name.startswith("−entropy") and values == {0: -0.2, 2: -1.2}
    assert of_line({**LINE, "groups": {**alike, "signals": {}}}).certainty[1] == {}


def test_an_outcome_is_told_with_its_seconds() -> None:
    question = Question("q", "Is it $5 ?\nA yes\nB no", "Is it $5 ?", ("yes", "no"))
    trace = Trace((GroupTrace(0, (1.0, 2.0), 0, -0.5),), {"probe": Cost()}, 4, 4, 0, 2, 0)
    story = of_outcome(Outcome(question, Answer("A", 0, (0.9, 0.1)), trace, None), ((1.0, 1.5),))
    assert story == Story(
        "Is it $5 ?", ("yes", "no"), "A", 0, (0.9, 0.1), trace.groups, None, None, None, ((1.0, 1.5),)
    )
    assert story.timed
