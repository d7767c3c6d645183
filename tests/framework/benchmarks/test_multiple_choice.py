"""What all multiple-choice benchmarks share: settings that are checked once, and a letter for what cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
from omegaconf import DictConfig

from framework.benchmarks.multiple_choice import MultipleChoice, check_letter
from framework.benchmarks.videomme import VideoMME
from framework.config.build import ConfigError, build

SHARED = {"name", "prompt", "root", "limit", "only", "profile", "extraction", "max_new_tokens", "random_fallback"}


@pytest.fixture
def made(composed: Callable[..., DictConfig]) -> Callable[..., VideoMME]:
    def make(**changes: Any) -> VideoMME:
        return build({**composed("benchmark=videomme").benchmark, **changes}, VideoMME, "benchmark")

    return make


def test_the_settings_are_defined_once() -> None:
    own = {field.name for field in fields(MultipleChoice)}
    assert own <= SHARED and {"profile", "extraction", "max_new_tokens", "random_fallback"} <= own


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"profile": "mine"}, r"benchmark\.profile=mine: no such choice; expected one of "),
        ({"extraction": "guess"}, r"benchmark\.extraction=guess: no such choice; expected one of current, legacy"),
        ({"max_new_tokens": 0}, r"benchmark\.max_new_tokens must be at least 1 or null, got 0"),
        ({"profil": "x"}, r"benchmark\.profil: VideoMME has no such key"),
    ],
)
def test_wrong_settings_name_their_key(changes: dict[str, Any], said: str, made: Callable[..., VideoMME]) -> None:
    with pytest.raises(ConfigError, match=said):
        made(**changes)


def test_a_letter_is_drawn_only_where_a_seed_is_given(made: Callable[..., VideoMME]) -> None:
    row = {"question_id": "7-1", "question": "What ?", "options": ["A. a", "B. b", "C. c", "D. d"], "answer": "B"}
    assert made().read("no idea at all", row) == (0.0, None)
    seeded = made(random_fallback=3)
    rows = [{**row, "question_id": f"7-{number}"} for number in range(20)]
    drawn = [seeded.read("no idea at all", one)[1] for one in rows]
    assert set(drawn) == set("ABCD")
    assert drawn == [seeded.read("something else?", one)[1] for one in rows]


def test_an_answer_is_one_letter() -> None:
    assert check_letter("C") == "C"
    for wrong in ("c", "AB", "", 1, None):
        with pytest.raises(ValueError, match="expected a letter"):
            check_letter(wrong)
