"""What a picture tells about one question, whether it comes from an outcome or from a line of questions.jsonl.

Knows no axes and no terminal.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from framework.core.outcome import GroupTrace, Outcome
from framework.report.console import plain

UNKNOWN = (math.nan, math.nan)  # seconds of a group that a line does not tell
Spans = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Story:
    """Tells what was asked and answered, and what became of every group. What is not known is empty or None."""

    question: str
    options: tuple[str, ...]
    answer: str  # as the model said it
    choice: int | None
    probabilities: tuple[float, ...]
    groups: tuple[GroupTrace, ...]
    right: int | str | None = None  # index of the right option, or the right answer in words
    correct: float | None = None  # 0..1
    kept_seconds: tuple[float, ...] | None = None
    evidence: Spans = ()  # seconds

    @property
    def chance(self) -> float | None:
        """Returns the relevance of a uniform response: -ln(options), nats; None for an open question."""
        count = len(self.probabilities) or len(self.options)
        return -math.log(count) if count else None

    @property
    def certainty(self) -> tuple[str, dict[int, float]]:
        """Returns what is measured, with its unit, and per group index how certain the group was: 0 = certain.

        It is the relevance, or minus the entropy where all groups count alike. It is empty where neither was measured.
        """
        relevance = {group.index: group.relevance for group in self.groups if group.relevance is not None}
        if self.ranked:
            return "relevance, nats", relevance
        entropy = {group.index: group.signals["entropy"] for group in self.groups if "entropy" in group.signals}
        return "−entropy, nats", {index: -value for index, value in entropy.items()}

    @property
    def ranked(self) -> bool:
        """Says whether relevance tells the groups apart; a preset that compares none gives all of them 0."""
        return any(group.relevance for group in self.groups)

    @property
    def timed(self) -> bool:
        """Says whether the seconds of the groups are known."""
        return not any(math.isnan(second) for group in self.groups for second in group.seconds)

    def option(self, place: int) -> str:
        """Returns an option as people read it: its letter, and its text where it is known."""
        letter = chr(ord("A") + place)
        return f"{letter}  {self.options[place]}" if place < len(self.options) else letter

    @property
    def answered(self) -> str:
        """Returns the answer as people read it."""
        return self.option(self.choice) if self.choice is not None else self.answer or "(nothing)"

    @property
    def expected(self) -> str:
        """Returns the right answer as people read it; empty where it is not known."""
        return self.option(self.right) if isinstance(self.right, int) else self.right or ""

    @property
    def texts(self) -> tuple[str, ...]:
        """Returns all words of others that a picture may show."""
        return (self.question, self.answer, self.expected, *self.options)


def of_outcome(outcome: Outcome, evidence: Spans = ()) -> Story:
    """Tells an outcome."""
    question, answer, selection = outcome.question, outcome.answer, outcome.selection
    return Story(
        question=one_line(question.bare),
        options=tuple(map(one_line, question.options)),
        answer=one_line(answer.text),
        choice=answer.choice,
        probabilities=answer.probabilities,
        groups=outcome.trace.groups,
        kept_seconds=tuple(selection.tokens.seconds.tolist()) if selection is not None else None,
        evidence=evidence,
    )


def of_line(line: Mapping[str, Any]) -> Story:
    """Tells a line of questions.jsonl, also an older one without `question` and `options`.

    The line has no seconds of its groups.
    """
    options = tuple(one_line(str(option)) for option in line.get("options") or ())
    probabilities = tuple(line.get("probabilities") or ())
    return Story(
        question=one_line(str(line.get("question") or "")),
        options=options,
        answer=one_line(str(line.get("answer") or "")),
        choice=line.get("choice"),
        probabilities=probabilities,
        groups=_groups(line["groups"]),
        right=_right(line.get("right"), max(len(options), len(probabilities))),
        correct=line.get("correct"),
    )


def one_line(text: str) -> str:
    """Returns text from outside on one line, without what steers a terminal."""
    return " ".join(plain(text).split())


def _groups(columns: Mapping[str, Any]) -> tuple[GroupTrace, ...]:
    """The columns of a line as one value per group."""
    signals = columns.get("signals") or {}
    found = []
    for place, visited in enumerate(columns["visited"]):
        if visited is None:
            found.append(GroupTrace(place, UNKNOWN, None))
            continue
        known = {name: values[place] for name, values in signals.items() if values[place] is not None}
        named = {name: columns[name][place] for name in ("relevance", "choice", "quota", "kept")}
        found.append(GroupTrace(place, UNKNOWN, visited, signals=known, **named))
    return tuple(found)


def _right(right: Any, options: int) -> int | str | None:
    """The right answer, as an index where it is the letter of an option."""
    if right is None:
        return None
    text = one_line(str(right))
    place = ord(text) - ord("A") if len(text) == 1 else -1
    return place if 0 <= place < options else text
