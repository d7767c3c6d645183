"""Questions about a real clip, from the command line: every family and every preset once, and what is refused.

`python -m tests.framework.backbones.ask` prints all pairs.
"""

from __future__ import annotations

from itertools import cycle

import pytest

from tests.framework.backbones.ask import OPTIONS, PRESETS, ask

PAIRS = [*zip(PRESETS, cycle(OPTIONS), strict=False)]


def test_every_family_is_among_them() -> None:
    assert {family for _, family in PAIRS} == set(OPTIONS)


@pytest.mark.parametrize(("preset", "family"), PAIRS, ids=[f"{preset}-{family}" for preset, family in PAIRS])
def test_a_question_about_a_real_clip_is_answered(preset: str, family: str) -> None:
    asked = ask(family, preset)
    assert asked.status == 0, asked.said
    assert asked.choice in range(3) and f"{preset} · {OPTIONS[family]}" in asked.said


def test_positions_that_a_family_does_not_have_are_one_sentence() -> None:
    asked = ask("qwen3_vl", "qtsplus", "qtsplus.mode=compat")
    assert asked.status == 2 and asked.said.count("\n") == 0
    assert asked.said.endswith("answer_positions must be one of original, compact; got 'sequential'")
