"""Every option of every group, and every preset, goes through a whole pipeline: the lab model, one small video.

A new option is picked up by itself. One that only serves beside another says so in TOGETHER.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from omegaconf import DictConfig

from framework.benchmarks.base import VideoItem
from framework.config import plugins
from framework.config.groups import STRATEGIES
from framework.config.parts import build_pipeline

OPTIONS = [(group, option) for group in (*STRATEGIES, "preset") for option in plugins.options(group)]
SMALL = ("budget=12", "frames=64", "qtsplus.checkpoint=random:0")
TOGETHER = {
    "allocator=epsilon": ("scorer=reconstruction",),  # shares by the errors that a scorer explains
    "allocator=learned_ratio": ("scorer=qtsplus",),  # shares by the ratio that a scorer signals
}


@pytest.mark.parametrize(("group", "option"), OPTIONS, ids=[f"{group}={option}" for group, option in OPTIONS])
def test_it_answers_questions_about_a_video(
    group: str, option: str, composed: Callable[..., DictConfig], needle_video: VideoItem
) -> None:
    word = f"{group}={option}"
    preset = () if group == "preset" else ("preset=adapttoken",)
    pipeline = build_pipeline(composed(*preset, word, *TOGETHER.get(word, ()), *SMALL))
    questions = [item.question for item in needle_video.items[:2]]
    outcomes = pipeline.answer(needle_video.path, questions)
    assert [outcome.question for outcome in outcomes] == questions
    for outcome in outcomes:
        assert outcome.answer.choice in range(4)
        assert sum(outcome.answer.probabilities) == pytest.approx(1.0, abs=1e-4)
        trace, visited = outcome.trace, [group for group in outcome.trace.groups if group.visited is not None]
        assert 0 < len(visited) <= len(trace.groups) and trace.tokens_total == 128
        if outcome.selection is None:  # an answerer that votes
            assert trace.tokens_kept == 0
            continue
        assert 0 < len(outcome.selection) == trace.tokens_kept <= pipeline.budget
        assert trace.tokens_kept == sum(group.kept for group in visited)
        ticks = outcome.selection.tokens.tick
        assert bool((ticks.diff() >= 0).all()) and int(ticks.min()) >= 0 and int(ticks.max()) < 32
