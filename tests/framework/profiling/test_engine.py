"""The bench of the engine: its arms compute the same, its rows add up, wrong wishes are refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest
import torch

from framework.backbones.base import DecoderBackbone
from framework.config.parts import prompt_template
from framework.core.errors import UsageError
from framework.engine.pipeline import Pipeline
from framework.profiling import engine
from framework.profiling.base import Spent
from framework.profiling.engine import ARMS, EngineBench, further
from framework.profiling.noise import questions
from framework.profiling.passes import Passes
from framework.profiling.random_model import Sizes
from framework.profiling.room import attention_bytes
from framework.profiling.setting import VIDEO, looked_at

TINY = Sizes(4, 64, 2, 1, 96, 2, 32, 2, 48, 1)
KEYS: dict[str, Any] = {
    "model": "midsize",
    "sizes": TINY,
    "questions": (1, 3),
    "arms": ARMS,
    "groups": 2,
    "ticks": 3,
    "grid": (2, 4),
    "words": 8,
    "budget": 12,
    "preset": "adapttoken",
    "rounds": 1,
    "device": "cpu",
    "seed": 0,
}


@pytest.fixture(scope="module")
def at_work() -> Iterator[tuple[Pipeline, Passes]]:
    """The pipeline on a tiny model, and the passes for what it keeps for three questions."""
    bench = EngineBench(**KEYS)
    with bench._pipeline() as (pipeline, cfg):
        with torch.no_grad():  # random weights are so small that places in the prompt would hardly matter
            for weight in cast(DecoderBackbone, pipeline.backbone).model.parameters():
                weight.mul_(4)
        answered = bench._answered(pipeline, questions(3, 8, prompt_template(cfg)))
        layer = cfg.backbone.reference_layer
        yield pipeline, Passes(cast(DecoderBackbone, pipeline.backbone), looked_at(pipeline), answered, layer)


def test_the_bare_passes_are_those_of_the_pipeline(at_work: tuple[Pipeline, Passes]) -> None:
    pipeline, passes = at_work
    with torch.no_grad():
        seen, final = passes.bare()
    assert len(seen) == 2 * 3 and len(final) == 3
    outcomes = pipeline.answer(VIDEO, [question for question, _ in passes.asked])
    for outcome, logits in zip(outcomes, final, strict=True):
        letters = passes.backbone.chat.split(outcome.question, True).option_ids
        expected = torch.tensor(outcome.answer.probabilities)
        torch.testing.assert_close(logits[letters].softmax(-1), expected, atol=1e-5, rtol=0)
    raw = [[group.raw for group in outcome.trace.groups] for outcome in outcomes]  # entropies of the groups' responses
    found = [-(one.softmax(-1) * one.log_softmax(-1)).sum() for one in seen]  # by group, then by question
    torch.testing.assert_close(torch.stack(found).view(2, 3).T, torch.tensor(raw), atol=1e-4, rtol=0)


def test_the_straightforward_way_finds_the_same(at_work: tuple[Pipeline, Passes]) -> None:
    _, passes = at_work
    before = passes.backbone.decoder.config._attn_implementation
    with torch.no_grad():
        (seen, final), (plain, last) = passes.bare(), passes.straightforward()
    torch.testing.assert_close(torch.stack(seen), torch.stack(plain), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(torch.stack(final), torch.stack(last), atol=1e-4, rtol=1e-4)
    assert (torch.stack(seen)[:, None] - torch.stack(seen)).abs().amax(-1).flatten().sort().values[
        6
    ] > 1e-2  # all differ
    assert passes.backbone.decoder.config._attn_implementation == before == "sdpa"


def test_rows() -> None:
    rows = list(EngineBench(**KEYS).rows())
    assert [(row["questions"], row["arm"]) for row in rows] == [(count, arm) for count in (1, 3) for arm in ARMS]
    assert all(row["s x"] == row["cpu x"] == 1 for row in rows if row["arm"] == "bare")
    assert [row["further"] == "" for row in rows] == [True] * 4 + [False] * 4


def test_a_further_question() -> None:
    one, three = [Spent(2, 10), Spent(4, 10), Spent(1, 10)], [Spent(6, 12), Spent(4, 14), Spent(9, 16)]
    assert further(one, three, 3, 0) == 1  # of 1, 0 and 4
    assert further(one, three, 3, 1) == 0.2  # of .1, .2 and .3


def test_attention_of_all_layers() -> None:
    assert attention_bytes(TINY, 100, 4) == 4 * 2 * 100 * 100 * 4


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"preset": "nothing"}, "what.preset: got 'nothing', expected one of .*uniform"),
        ({"model": "13b"}, "what.model: got '13b', expected one of midsize, 7b"),
        ({"arms": ("bare", "fast")}, "what.arms: got 'fast', expected one of pipeline, bare"),
        ({"arms": ("pipeline",)}, r"what.arms: got \['pipeline'\], expected bare among them"),
        ({"questions": ()}, r"what.questions: got \[\], expected at least one number from 1 on"),
        ({"questions": (3, 1)}, r"what.questions: got \[3, 1\], expected .* in ascending order"),
        ({"questions": (0, 1)}, r"what.questions: got \[0, 1\]"),
        ({"groups": 0}, "what.groups: got 0, expected at least 1"),
        ({"grid": (0, 4)}, "what.grid: got 0"),
        ({"words": 0}, "what.words: got 0"),
        ({"device": "tpu"}, "what.device: got 'tpu', expected auto"),
    ],
)
def test_wrong_wishes_name_the_key(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        EngineBench(**{**KEYS, **change})


def test_7b_needs_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match=r"what.model: got 7b on what.device=auto, expected midsize: 7b needs a CUDA"):
        EngineBench(**{**KEYS, "model": "7b", "device": "auto"})


def test_too_little_room_is_said_before_anything_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "write", lambda *_: pytest.fail("a model was made"))
    weights, maps = TINY.parameters() * 4, attention_bytes(TINY, 24 + 8 + 64, 4)
    monkeypatch.setattr("framework.profiling.checks.free_bytes", lambda _: 2.0 * weights)
    bench = EngineBench(**{**KEYS, "ticks": 300})
    with pytest.raises(
        UsageError, match=r"what.ticks: got 300, for which the arm straightforward holds .* or what.arms"
    ):
        next(bench.rows())
    monkeypatch.setattr("framework.profiling.checks.free_bytes", lambda _: 2.0 * weights - 1)
    with pytest.raises(UsageError, match=r"what.model: got midsize, which takes .* expected at most"):
        next(EngineBench(**KEYS).rows())
    assert maps < weights  # else the first refusal would meet every bench here
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Disk", (), {"free": weights - 1}))
    with pytest.raises(UsageError, match=r"what.model: got midsize, whose .* set TMPDIR to a larger disk"):
        next(EngineBench(**KEYS).rows())


def test_a_preset_that_probes_nothing() -> None:
    with pytest.raises(UsageError, match=r"what.preset: got uniform, expected a preset that probes groups"):
        next(EngineBench(**{**KEYS, "preset": "uniform"}).rows())
