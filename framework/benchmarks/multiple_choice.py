"""Published multiple-choice benchmarks: several known ways to ask, two generations of reading a letter.

A benchmark file says what its rows hold, which profiles there are and which rules go with it. Knows no row and no file.
"""

from __future__ import annotations

import random
import re
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from framework.benchmarks.annotated import Annotated
from framework.benchmarks.tables import Row
from framework.core.types import Question

Rule = Callable[
    [str, tuple[str, ...]], str
]  # stripped response and option texts -> letter, or anything else: no letter

LETTERS = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")


@dataclass(frozen=True)
class Profile:
    """Describes how one evaluator asks."""

    template: str  # the user text, with {question} and whatever else the benchmark fills in
    max_new_tokens: int
    extraction: str = "current"  # the rule that goes with it: current or legacy
    cue: str = ""  # start of the answer, after the assistant header


@dataclass(kw_only=True)
class MultipleChoice(Annotated):
    """Asks questions with lettered options, in the words of the profile that is called `profile`.

    A null `random_fallback` counts an unreadable answer as wrong. A seed puts a random letter in its place, always the
    same for one question.
    """

    profile: str
    extraction: str | None  # null = as the profile has it
    max_new_tokens: int | None  # of an answer; null = as the profile has it
    random_fallback: int | None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("profile", self.profile, self.profiles)
        profile = self.profiles[self.profile]
        extraction = profile.extraction if self.extraction is None else self.extraction
        check_choice("extraction", extraction, self.rules)
        self.template, self.cue, self.rule = profile.template, profile.cue, self.rules[extraction]
        self.new_tokens = profile.max_new_tokens if self.max_new_tokens is None else self.max_new_tokens
        if self.new_tokens < 1:
            raise ValueError(f"max_new_tokens must be at least 1 or null, got {self.max_new_tokens}")

    @property
    @abstractmethod
    def profiles(self) -> Mapping[str, Profile]:
        """Names the known ways to ask."""

    @property
    @abstractmethod
    def rules(self) -> Mapping[str, Rule]:
        """Names the rules that read a letter: current and legacy."""

    @abstractmethod
    def identity(self, row: Row) -> str:
        """Returns the question's name, unique over the benchmark."""

    @abstractmethod
    def stem(self, row: Row) -> str:
        """Returns the question alone, as it stands in the prompt."""

    @abstractmethod
    def options(self, row: Row) -> tuple[str, ...]:
        """Returns the texts of the options, without letters."""

    @abstractmethod
    def prompt(self, row: Row) -> str:
        """Returns the exact user text."""

    def question(self, row: Row) -> Question:
        """Returns the question of one row, with the exact prompt."""
        return Question(
            id=self.identity(row),
            prompt=self.prompt(row),
            bare=self.stem(row),
            options=self.options(row),
            cue=self.cue,
            max_new_tokens=self.new_tokens,
        )

    def read(self, response: str, row: Row) -> tuple[float, str | None]:
        """Returns (1 or 0, the letter that was read or drawn, or None)."""
        options = self.options(row)
        found = self.rule(response, options)
        if not re.fullmatch("[A-Z]", found):
            if self.random_fallback is None or not options:
                return 0.0, None
            found = random.Random(f"{self.random_fallback} {self.identity(row)}").choice(LETTERS[: len(options)])
        return float(found == self.right(row)), found


def check_letter(answer: object) -> str:
    """Returns the annotated answer. Raises ValueError unless it is one capital letter."""
    if not isinstance(answer, str) or answer not in LETTERS:
        raise ValueError(f"answer={answer!r}: expected a letter")
    return answer


def check_choice(key: str, got: str, choices: Mapping[str, object] | tuple[str, ...]) -> None:
    """Raises ValueError unless `got` is one of the choices; the message names the key and what it takes."""
    if got not in choices:
        raise ValueError(f"{key}={got}: no such choice; expected one of {', '.join(choices)}")
