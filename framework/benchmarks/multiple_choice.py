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
    """How one evaluator asks."""

    template: str  # the user text, with {question} and whatever else the benchmark fills in
    max_new_tokens: int
    extraction: str = "current"  # the rule that goes with it: current or legacy
    cue: str = ""  # start of the answer, after the assistant header


class MultipleChoice(Annotated):
    """Questions with lettered options. Null for `extraction` or `max_new_tokens` means: as the profile has it.

    `random_fallback`: null counts an unreadable answer as wrong; a seed puts a random letter in its place, for one
    question always the same.
    """

    profiles: Mapping[str, Profile]
    rules: Mapping[str, Rule]  # current and legacy

    def __init__(
        self,
        name: str,
        root: str | None,
        limit: int | None,
        only: dict[str, str | int] | None,
        profile: str,
        extraction: str | None,
        max_new_tokens: int | None,
        random_fallback: int | None,
    ) -> None:
        super().__init__(name, root, limit, {key: str(label) for key, label in (only or {}).items()})
        check_choice("profile", profile, self.profiles)
        self.profile_name, self.profile = profile, self.profiles[profile]
        extraction = self.profile.extraction if extraction is None else extraction
        check_choice("extraction", extraction, self.rules)
        self.rule = self.rules[extraction]
        self.max_new_tokens = self.profile.max_new_tokens if max_new_tokens is None else max_new_tokens
        if self.max_new_tokens < 1:
            raise ValueError(f"max_new_tokens must be at least 1 or null, got {max_new_tokens}")
        self.random_fallback = random_fallback

    @abstractmethod
    def identity(self, row: Row) -> str:
        """The question's name, unique over the benchmark."""

    @abstractmethod
    def stem(self, row: Row) -> str:
        """The question alone, as it stands in the prompt."""

    @abstractmethod
    def options(self, row: Row) -> tuple[str, ...]:
        """The texts of the options, without letters."""

    @abstractmethod
    def prompt(self, row: Row) -> str:
        """The exact user text."""

    def question(self, row: Row) -> Question:
        """The question of one row."""
        return Question(
            id=self.identity(row),
            prompt=self.prompt(row),
            bare=self.stem(row),
            options=self.options(row),
            cue=self.profile.cue,
            max_new_tokens=self.max_new_tokens,
        )

    def read(self, response: str, row: Row) -> tuple[float, str | None]:
        """(1 or 0, the letter that was read or drawn); None: neither."""
        options = self.options(row)
        found = self.rule(response, options)
        if not re.fullmatch("[A-Z]", found):
            if self.random_fallback is None or not options:
                return 0.0, None
            found = random.Random(f"{self.random_fallback} {self.identity(row)}").choice(LETTERS[: len(options)])
        return float(found == self.right(row)), found


def check_letter(answer: object) -> str:
    """ValueError unless the annotated answer is one capital letter."""
    if not isinstance(answer, str) or answer not in LETTERS:
        raise ValueError(f"answer={answer!r}: expected a letter")
    return answer


def check_choice(key: str, got: str, choices: Mapping[str, object] | tuple[str, ...]) -> None:
    """ValueError naming the key and what it takes, unless `got` is one of the choices."""
    if got not in choices:
        raise ValueError(f"{key}={got}: no such choice; expected one of {', '.join(choices)}")
