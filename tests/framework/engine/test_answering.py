"""A prober beside the backbone: the same answers where it is the backbone, places carried over where it is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import DictConfig

from framework.backbones.qwen2_5_vl import Qwen25VL
from framework.benchmarks.base import VideoItem
from framework.config.parts import build_pipeline
from framework.core.outcome import Outcome
from framework.engine.ledger import Ledger
from framework.engine.pipeline import Pipeline
from tests.fixtures.tiny_qwen import ADAPTER, build_checkpoint

Compose = Callable[..., DictConfig]
COARSE = (
    "prober.adapter.min_pixels=784",
    "prober.adapter.max_pixels=784",
)  # 28 x 28: one token a tick, where 56 have 4
FINE = ("prober.adapter.min_pixels=12544", "prober.adapter.max_pixels=12544")  # 112 x 112: 16


def asked(pipeline: Pipeline, video: VideoItem, ledger: Ledger | None = None) -> list[Outcome]:
    return pipeline.answer(video.path, [item.question for item in video.items], ledger=ledger)


def places(outcome: Outcome) -> list[list[int]]:
    assert outcome.selection is not None
    kept = outcome.selection
    return [kept.tokens.tick.tolist(), kept.tokens.row.tolist(), kept.tokens.column.tolist(), kept.group.tolist()]


def same(one: list[Outcome], other: list[Outcome]) -> None:
    for mine, theirs in zip(one, other, strict=True):
        assert places(mine) == places(theirs)
        assert (mine.answer.text, mine.answer.choice) == (theirs.answer.text, theirs.answer.choice)
        assert mine.answer.probabilities == pytest.approx(theirs.answer.probabilities, abs=1e-5)
        assert mine.selection is not None and theirs.selection is not None
        torch.testing.assert_close(
            mine.selection.tokens.embeddings, theirs.selection.tokens.embeddings, atol=1e-5, rtol=0
        )
        assert mine.trace.groups == theirs.trace.groups and mine.trace.tokens_total == theirs.trace.tokens_total


@pytest.fixture(scope="module")
def alone(composed: Compose, needle_video: VideoItem) -> list[Outcome]:
    return asked(build_pipeline(composed("preset=adapttoken")), needle_video)


@pytest.fixture(scope="module")
def probed(composed: Compose, needle_video: VideoItem) -> tuple[list[Outcome], Ledger, Pipeline]:
    pipeline, ledger = build_pipeline(composed("preset=adapttoken", "prober=lab")), Ledger()
    return asked(pipeline, needle_video, ledger), ledger, pipeline


def test_a_prober_that_is_the_backbone_changes_nothing(
    alone: list[Outcome], probed: tuple[list[Outcome], Ledger, Pipeline]
) -> None:
    same(probed[0], alone)


def test_it_changes_nothing_where_looking_stops_early_and_questions_come_alone(
    composed: Compose, needle_video: VideoItem
) -> None:
    two = replace(needle_video, items=needle_video.items[:2])
    words = ("preset=adapttoken_lite", "share=false", "budget=16")
    expected = asked(build_pipeline(composed(*words)), two)
    assert any(group.visited is None for outcome in expected for group in outcome.trace.groups)
    same(asked(build_pipeline(composed(*words, "prober=lab")), two), expected)


def test_another_member_of_the_family_that_is_the_backbone_changes_nothing(
    composed: Compose, needle_video: VideoItem, tmp_path: Path
) -> None:
    """Two objects with the weights of a random Qwen2.5-VL, which has windows in its tower."""
    words = ("preset=adapttoken", "scorer.layers=[1]", "budget=24", "frames=64")
    checkpoint = build_checkpoint(tmp_path, tied=False)
    tiny, twin = (Qwen25VL(**{"checkpoint": checkpoint, **ADAPTER}) for _ in range(2))
    alone = replace(build_pipeline(composed(*words)), backbone=tiny)
    same(asked(replace(alone, prober=twin), needle_video), asked(alone, needle_video))


def test_only_ticks_with_a_kept_place_are_seen_again(probed: tuple[list[Outcome], Ledger, Pipeline]) -> None:
    outcomes, ledger, _ = probed
    kept = {tick for outcome in outcomes for tick in places(outcome)[0]}
    assert 0 < len(kept) < 128
    assert ledger.spent()["encode kept"].tokens == 4 * len(kept)
    assert {outcome.trace.frames_decoded for outcome in outcomes} == {256 + 2 * len(kept)}


def test_what_each_model_cost_adds_up(alone: list[Outcome], probed: tuple[list[Outcome], Ledger, Pipeline]) -> None:
    outcomes, ledger, pipeline = probed
    spent, apart = ledger.spent(), [outcome.trace.operations for outcome in outcomes]
    assert sum(sum(one.values()) for one in apart) == pytest.approx(sum(cost.flops for cost in spent.values()))
    again, answers = spent["encode kept"], spent["answer"]
    assert sum(one["backbone"] for one in apart) == pytest.approx(again.flops + answers.flops)
    assert again.flops == pytest.approx(pipeline.backbone.encode_flops(again.tokens, 4))
    looking = sum(c.flops for one in alone for name, c in one.trace.stages.items() if name != "answer")
    assert sum(one["prober"] for one in apart) == pytest.approx(looking)
    assert alone[0].trace.operations == {}


@pytest.mark.parametrize(("words", "of_prober"), [(COARSE, 8), (FINE, 128)])
def test_a_grid_of_its_own_keeps_the_budget_of_the_backbone(
    words: tuple[str, ...], of_prober: int, composed: Compose, needle_video: VideoItem
) -> None:
    one = replace(needle_video, items=needle_video.items[:1])
    for outcome in asked(build_pipeline(composed("preset=adapttoken", "prober=lab", *words)), one):
        assert outcome.trace.tokens_kept == 32 and outcome.trace.tokens_total == 512
        assert sum(group.quota for group in outcome.trace.groups) == of_prober
        assert outcome.trace.offered is not None and len(outcome.trace.offered.tick) == 4
        rows, columns = places(outcome)[1:3]
        assert set(rows) <= {0, 1} and set(columns) <= {0, 1}


def test_models_take_turns(composed: Compose, needle_video: VideoItem, alone: list[Outcome]) -> None:
    """Whoever works is awake, and the other one rests."""
    words = ("preset=adapttoken", "prober=lab", "prober.adapter.probe_tokens=15")
    pipeline = build_pipeline(composed(*words, "offload=true"))
    backbone, prober, turns = pipeline.backbone, pipeline.prober, []
    assert prober is not None and prober is not backbone

    def noted(model: Any, name: str) -> None:
        rest, wake, probe, answer = model.rest, model.wake, model.probe, model.answer
        model.rest = lambda: (turns.append(f"{name} rests"), rest())
        model.wake = lambda: (turns.append(f"{name} wakes"), wake())
        model.probe = lambda *given: (turns.append(f"{name} probes"), probe(*given))[1]
        model.answer = lambda *given: (turns.append(f"{name} answers"), answer(*given))[1]

    noted(prober, "prober")
    noted(backbone, "backbone")
    try:
        found = asked(pipeline, needle_video)
    finally:
        for model in (prober, backbone):
            for name in ("rest", "wake", "probe", "answer"):
                del vars(model)[name]
            model.wake()
    same(found, alone)
    groups = len(found[0].trace.groups)
    assert turns == [
        *("backbone rests", "prober wakes", *["prober probes"] * groups),
        *("prober rests", "backbone wakes", *["backbone answers"] * len(found)),
    ]


def test_ticks_of_another_length_are_refused(composed: Compose) -> None:
    pipeline = build_pipeline(composed("preset=adapttoken"))

    class Single:
        frames_per_tick = 1

    with pytest.raises(ValueError, match="prober: ticks of 1 frames, and the backbone has ticks of 2"):
        replace(pipeline, prober=Single())  # type: ignore[arg-type]


def test_out_of_memory_makes_the_passes_of_both_smaller(composed: Compose) -> None:
    pipeline = build_pipeline(composed("preset=adapttoken"))

    class Passes:
        frames_per_tick = 2

        def __init__(self, halves: int) -> None:
            self.halves = halves

        def lighten(self) -> bool:
            self.halves -= 1
            return self.halves >= 0

    prober, backbone = Passes(1), Passes(2)
    both = replace(pipeline, prober=prober, backbone=backbone)  # type: ignore[arg-type]
    assert [both.lighten() for _ in range(3)] == [True, True, False]
    assert prober.halves == -2 and backbone.halves == -1
