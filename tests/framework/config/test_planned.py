"""What a configuration asks of memory: ticks, groups, tokens and text, against adapters and by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace

import pytest
import torch
from omegaconf import DictConfig, OmegaConf
from transformers import AutoConfig

from framework.backbones.published import configuration
from framework.backbones.shape import shape_of
from framework.config.planned import Film, run_of, tick_text
from tests.framework.backbones.conformance.families import FAMILIES

BY_NAME = {family.name: family for family in FAMILIES}
HOUR = Film(height=1080, width=1920, seconds=3600, questions=8, words=128)


def test_an_hour_of_qwen3_vl(composed: Callable[..., DictConfig]) -> None:
    """The figures of docs/backbones.md: 209 tokens a tick, and about 21,900 tokens of text in 2,048 ticks."""
    cfg = composed("preset=adapttoken", "backbone=qwen3_vl_8b", "backbone.reference_layer=7")
    shape = shape_of(configuration(cfg.backbone.adapter.checkpoint))
    run = run_of(cfg, shape, HOUR, cuda=True)
    assert (run.ticks, run.tokens, run.group, run.budget) == (2048, 209, 64, 7040)
    assert (run.height, run.width) == (352, 608) and run.candidates == 7744
    assert run.tick_text * run.ticks == pytest.approx(21_900, abs=50)
    assert (run.layers, run.logits, run.item, run.questions, run.per_pass) == ((7,), True, 2, 8, 8) and not run.repeated
    assert run_of(cfg, shape, replace(HOUR, seconds=10), cuda=True).ticks == 20  # 4 frames a second
    cfg = composed("preset=uniform", "backbone=qwen3_vl_8b", "backbone.adapter.dtype=float32", "budget=100")
    run = run_of(cfg, shape, HOUR, cuda=True)
    assert (run.group, run.layers, run.logits, run.candidates, run.repeated) == (1, (), False, 100, True)
    assert not run_of(cfg, shape, HOUR, cuda=False).repeated


@pytest.mark.parametrize("name", ["internvl qwen3", "llava_onevision", "llava_video"])
def test_text_around_frames_is_that_of_the_adapter(name: str) -> None:
    family = BY_NAME[name]
    backbone, own = family.adapter, {"frame_text": "Frame{n}: ", "between": "\n", "newline": "one"}
    kind = AutoConfig.from_pretrained(family.checkpoint).model_type
    found = tick_text(kind, own | family.changes, 12, 60, 2)
    seconds = torch.arange(12, dtype=torch.float64).repeat_interleave(family.cells())
    first = len(backbone.text.beginning(0)) - len(backbone.chat.before(True, 0.0)) if kind == "internvl" else 0
    tiny = 12 * 4 if kind == "internvl" else 0  # the tiny tokenizer has no word for `Frame`: five letters
    assert found + tiny == backbone.tick_text(seconds) + first


def test_text_without_labels() -> None:
    assert tick_text("internvl", {"frame_text": "", "between": ""}, 10, 60, 16) == 20
    assert tick_text("qwen2_5_vl", {}, 10, 60, 0) == 0
    assert tick_text("qwen3_5", {}, 3, 30, 0) == (7 + 1) + 2 * (7 + 2)  # at 5, 15 and 25 seconds


@pytest.mark.parametrize("key", list(asdict(HOUR)))
def test_a_film_of_nothing_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match=f"^{key} must be above 0, got 0"):
        replace(HOUR, **{key: 0})


def test_frames_of_one_size(composed: Callable[..., DictConfig]) -> None:
    cfg = composed("preset=adapttoken", "backbone=internvl3_5_1b")
    run = run_of(cfg, shape_of(configuration(cfg.backbone.adapter.checkpoint)), HOUR, cuda=True)
    assert (run.ticks, run.tokens, run.height, run.width, run.frames_per_tick) == (512, 256, 448, 448, 1)
    assert OmegaConf.select(cfg, "backbone.adapter.frame_text") and run.tick_text * 512 == pytest.approx(4500, abs=5)
