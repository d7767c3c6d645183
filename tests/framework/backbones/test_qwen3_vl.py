"""What is particular to Qwen3-VL and Qwen3.5; `conformance` has what all families share."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import cpu_offload
from omegaconf import DictConfig
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForImageTextToText

from framework.benchmarks.base import VideoItem
from framework.config.parts import build_pipeline
from framework.core.errors import UsageError
from framework.core.view import Needs
from framework.recording.recording_session import Recorder
from framework.recording.replay_session import Recordings
from tests.framework.backbones.conformance.checks import dropped
from tests.framework.backbones.conformance.family import QUESTIONS, Family, selected
from tests.framework.backbones.conformance.qwen import FAMILIES, Stamped

BY_NAME = {family.name: family for family in FAMILIES}
QWEN3, OUTER, HYBRID = (BY_NAME[name] for name in ("qwen3_vl", "qwen3_vl outer", "qwen3_5"))
STAMPED = [family for family in FAMILIES if family.name != "qwen2_5_vl"]


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("dtype", "float8", "must be one of float32, bfloat16, float16"),
        ("attention", "magic", "must be one of sdpa, eager, flash_attention_2"),
        ("wrapper", "none", "must be one of frames, outer"),
        ("answer_positions", "sequential", "must be one of original, compact"),
        ("empty_ticks", "vanish", "must be one of drop, keep"),
        ("min_pixels", 0, "whole number >= 1"),
        ("max_pixels", 1000, "whole number >= 1024"),
        ("total_pixels", 0, "whole number >= 1"),
        ("probe_tokens", 1.5, "whole number >= 1"),
        ("questions_per_pass", 0, "whole number >= 1"),
        ("second_per_grid", -1.0, "must be seconds above 0"),
        ("device", "tpu9", "must be auto, cpu, cuda"),
        ("checkpoint", "./nowhere", "no folder './nowhere'"),
    ],
)
def test_a_wrong_setting_is_named_before_anything_is_loaded(monkeypatch, key: str, value: object, said: str) -> None:
    monkeypatch.setattr(AutoModelForImageTextToText, "from_pretrained", None)
    with pytest.raises(ValueError, match=rf"backbone\.adapter\.{key}.*{said}"):
        QWEN3.load(**{"checkpoint": QWEN3.checkpoint, key: value})


def changed(family: Family, folder: Path, name: str, change: Callable[[Any], Any] | None) -> str:
    """A copy of the tiny checkpoint with another JSON file, or without it."""
    shutil.copytree(family.checkpoint, folder, dirs_exist_ok=True)
    file = folder / name
    if change is None:
        file.unlink()
    else:
        file.write_text(json.dumps(change(json.loads(file.read_text()))))
    return str(folder)


def template(text: str) -> Callable[[Any], Any]:
    return lambda _: {"chat_template": text}


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        (
            "config.json",
            lambda config: config | {"model_type": "llama"},
            "type 'llama', expected 'qwen3_vl' or .*: there",
        ),
        (
            "config.json",
            lambda config: config | {"model_type": "qwen2_5_vl"},
            "take backbone=qwen2_5_vl_7b, or another",
        ),
        (
            "config.json",
            lambda config: config | {"vision_end_token_id": 9999},
            "does not read vision_end_token_id 9999",
        ),
        ("preprocessor_config.json", None, "lacks a file that says image_mean: processor_config.json or video_prepro"),
        ("preprocessor_config.json", lambda file: {"image_mean": [0.5] * 3}, "lacks a file that says image_std"),
        ("tokenizer.json", None, "tokenizer.json does not exist"),
        ("chat_template.json", None, "its chat template cannot show a video beside text: TypeError"),
        ("chat_template.json", template("{{ messages[0].content[-1].text }}"), "must show a video as one"),
        ("chat_template.json", template("<|vision_start|><|video_pad|><|vision_end|>"), "hold the user's text once"),
    ],
)
def test_a_checkpoint_that_cannot_be_used_is_refused_in_one_sentence_before_its_weights_are_read(
    monkeypatch, tmp_path: Path, name: str, change: Any, said: str
) -> None:
    folder = changed(QWEN3, tmp_path, name, change)
    monkeypatch.setattr(AutoModelForImageTextToText, "from_pretrained", None)
    with pytest.raises(ValueError, match=rf"^backbone\.adapter\.checkpoint: [^\n]*{said}[^\n]*$"):
        QWEN3.load(folder)


def test_a_thinking_checkpoint_is_refused_until_it_is_told_not_to(monkeypatch) -> None:
    assert HYBRID.adapter.chat.tail.endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")
    monkeypatch.setattr(AutoModelForImageTextToText, "from_pretrained", None)
    with pytest.raises(ValueError, match=r"think before it answers.*take an Instruct checkpoint"):
        HYBRID.load(HYBRID.checkpoint, template={})


def test_what_the_model_reads_of_a_group() -> None:
    """Two ticks of six, one with a single token; with the released wrapper and with the later one."""
    for family, before, after in ((QWEN3, "", ""), (OUTER, "<|vision_start|>", "<|vision_end|>")):
        backbone, frames = family.adapter, family.film(8)
        tokens = family.encoded(frames)
        keep = torch.zeros(8, 6, dtype=torch.bool)
        keep[6, 2], keep[7, :2] = True, True
        few = tokens[keep.flatten()]
        head = backbone.before(few, "compact")
        prefix = backbone.prefix(few, head, "compact")
        assert backbone.tokenizer.decode(head) == f"<|im_start|>user\n{before}"
        said = [f"<{second} seconds><|vision_start|>" for second in ("8.0", "9.3")]
        lengths = [len(family.read(one)) for one in said]
        assert prefix.columns.tolist() == [
            len(head) + lengths[0],
            *(len(head) + lengths[0] + 2 + lengths[1] + place for place in (0, 1)),
        ]
        assert len(prefix.embeddings) == len(head) + sum(lengths) + 3 + 2
        assert backbone.tick_text(few.seconds) == sum(lengths) + 2
        start = backbone.tokenizer.decode(backbone.chat.split(QUESTIONS[0], True).after)
        assert start.startswith(f"{after}{QUESTIONS[0].prompt}")


def test_where_all_ticks_are_not_known_those_that_are_there_are_the_video() -> None:
    backbone, tokens = QWEN3.adapter, QWEN3.encoded(QWEN3.film(8))
    few = tokens[torch.isin(tokens.tick, torch.tensor([2, 5]))]
    before = backbone.before(few, "original")
    compact = backbone.prefix(few, before, "compact", QWEN3.film(8).seconds)
    assert torch.equal(backbone.prefix(few, before, "original").positions, compact.positions)
    whole = backbone.prefix(few, before, "original", QWEN3.film(8).seconds)
    assert whole.text_start > compact.text_start and torch.equal(whole.columns, compact.columns)


def test_a_fixed_clock_is_what_the_stamps_say() -> None:
    family, question = QWEN3, QUESTIONS[0]
    clocked = family.load(family.checkpoint, second_per_grid=2.0)
    frames = family.film(8)
    tokens = family.encoded(frames)
    shown = replace(tokens, seconds=2.0 * tokens.tick.double())
    expected = family.adapter.answer(selected(shown, 2.0 * torch.arange(8.0).double()), question)
    found = clocked.answer(selected(tokens, frames.seconds), question)
    assert found.probabilities == pytest.approx(expected.probabilities, abs=1e-6)
    assert found.probabilities != pytest.approx(
        family.adapter.answer(selected(tokens, frames.seconds), question).probabilities, abs=1e-4
    )


@pytest.mark.parametrize("of", [QWEN3, HYBRID], ids=["qwen3_vl", "qwen3_5"])
def test_the_text_of_ticks_without_a_token_may_stay(of: Family) -> None:
    """The stock language model on the whole prompt without the dropped tokens, every stamp and bracket in it."""
    family = Stamped(of.name, of.tolerance, {"empty_ticks": "keep"})
    assert dropped(family) <= family.tolerance
    frames, backbone = family.film(8), family.adapter
    few = family.encoded(frames)[torch.tensor([13, 27])]  # of ticks 2 and 4
    clock = frames.seconds
    prefix = backbone.prefix(few, backbone.before(few, "original", clock), "original", clock)
    whole = family.asked(frames, QUESTIONS[0])
    assert len(prefix.embeddings) == len(backbone.chat.before(True, 0.0)) + backbone.tick_text(clock) + 2
    assert prefix.text_start == int(family.positions(family.stock(), whole)[0, whole.tick == 7].max()) + 1
    kept = selected(few, clock)
    flops = [one.answer_flops(2, QUESTIONS[0], one.shown_seconds(kept)) for one in (backbone, of.adapter)]
    assert torch.equal(backbone.shown_seconds(kept), clock) and flops[0] > 2 * flops[1]
    probes = [one.probe(few, QUESTIONS[:1], Needs(logits=True))[0].logits for one in (backbone, of.adapter)]
    assert probes[0] is not None and torch.equal(*probes)  # a probe is a video of the ticks that are there


def test_text_of_empty_ticks_needs_the_ids_of_the_whole_video() -> None:
    with pytest.raises(ValueError, match=r"^backbone\.adapter\.empty_ticks=keep .* answer_positions=compact .*: set"):
        QWEN3.load(QWEN3.checkpoint, empty_ticks="keep", answer_positions="compact")


def test_without_deepstack_the_logits_are_far_off() -> None:
    """Were the features not handed over, the equalities would have to say so."""
    backbone, tokens = QWEN3.adapter, QWEN3.encoded(QWEN3.film(4))
    assert tokens.extra["deepstack"].shape == (24, 3, 32)
    (whole,) = backbone.probe(tokens, QUESTIONS[:1], Needs(logits=True))
    less = replace(tokens, extra={**tokens.extra, "deepstack": torch.zeros_like(tokens.extra["deepstack"])})
    (without,) = backbone.probe(less, QUESTIONS[:1], Needs(logits=True))
    assert (whole.logits - without.logits).abs().max() > 0.1


def test_a_layer_without_attention_is_refused_and_those_with_it_are_named() -> None:
    tokens = HYBRID.encoded(HYBRID.film(2))
    assert HYBRID.adapter.attention_layers == (3, 7)
    with pytest.raises(UsageError, match=r"layers \(2,\), but this model has attention at layers 3, 7: set backbone"):
        HYBRID.adapter.probe(tokens, QUESTIONS, Needs(attention=(2,)))


@pytest.mark.parametrize("family", [QWEN3, HYBRID], ids=["qwen3_vl", "qwen3_5"])
def test_tokens_are_dropped_before_the_tower(family: Family) -> None:
    backbone, frames = family.adapter, family.film(4)
    keep = torch.zeros(24, dtype=torch.bool)
    keep[[0, 7, 8, 20]] = True
    entered: list[int] = []
    handle = backbone.tower.register_forward_pre_hook(lambda module, args: entered.append(len(args[0])))
    try:
        some, none = family.encoded(frames, keep=keep), family.encoded(frames, keep=~keep & keep)
    finally:
        handle.remove()
    assert entered == [4 * 4] and len(some) == 4
    whole = family.encoded(frames)
    assert {name: value.shape[1:] for name, value in none.extra.items()} == {
        name: value.shape[1:] for name, value in whole.extra.items()
    }
    assert len(none) == 0 and len(type(none).cat([none, some])) == 4


@pytest.mark.parametrize("family", [QWEN3, HYBRID], ids=["qwen3_vl", "qwen3_5"])
def test_half_precision_runs_and_scores_stay_fp32(family: Family) -> None:
    backbone = family.load(family.checkpoint, dtype="bfloat16")
    frames = family.film(3)
    tokens = backbone.encode(frames, backbone.layout(torch.arange(3), family.height, family.width))
    needs = Needs(attention=(3,), logits=True)
    probe = backbone.probe(tokens, QUESTIONS, needs)[0]
    exact = family.adapter.probe(family.encoded(frames), QUESTIONS, needs)[0]
    assert tokens.embeddings.dtype == torch.bfloat16
    assert probe.logits.dtype == probe.attention[3].dtype == torch.float32 and probe.logits.isfinite().all()
    torch.testing.assert_close(probe.attention[3], exact.attention[3], atol=0.1, rtol=0)
    assert sum(backbone.answer(selected(tokens, frames.seconds), QUESTIONS[0]).probabilities) == pytest.approx(1)


@pytest.mark.parametrize("family", [QWEN3, HYBRID], ids=["qwen3_vl", "qwen3_5"])
def test_weights_may_lie_elsewhere_those_of_text_and_pictures_too(family: Family) -> None:
    spread, frames = family.load(family.checkpoint, questions_per_pass=7), family.film(3)
    parts: list[nn.Module] = [*spread.decoder.layers[::2], spread.model.get_input_embeddings(), spread.tower]
    for part in (*parts, spread.model.lm_head):
        cpu_offload(part, torch.device("cpu"))
    assert spread.model.get_input_embeddings().weight.device.type == "meta"
    tokens = spread.encode(frames, spread.layout(torch.arange(3), family.height, family.width))
    whole = family.encoded(frames)
    torch.testing.assert_close(tokens.embeddings, whole.embeddings, atol=1e-5, rtol=1e-5)
    needs = Needs(attention=(3,), logits=True)
    for one, other in zip(
        spread.probe(tokens, QUESTIONS, needs), family.adapter.probe(whole, QUESTIONS, needs), strict=True
    ):
        torch.testing.assert_close(one.attention[3], other.attention[3], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(one.logits, other.logits, atol=family.tolerance, rtol=1e-5)


def counted(run: Callable[[], object]) -> float:
    """The operations of a pass as torch counts them."""
    with FlopCounterMode(display=False) as counter:
        run()
    return float(counter.get_total_flops())


@pytest.mark.parametrize(("family", "close"), [(QWEN3, 0.02), (BY_NAME["qwen3_vl_moe"], 0.02), (HYBRID, 0.15)])
def test_operations_are_those_that_torch_counts(family: Family, close: float) -> None:
    """Text around ticks included. Torch does not count how a recurrent layer solves its triangular systems."""
    backbone = family.load(family.checkpoint, attention="eager")  # torch counts no fused attention on CPUs
    backbone.model.set_experts_implementation("eager")  # nor products of groups
    frames = family.film(12)
    layout = backbone.layout(torch.arange(12), family.height, family.width)
    tokens = backbone.encode(frames, layout)
    equal = counted(lambda: backbone.encode(frames, layout))
    assert backbone.encode_flops(len(layout), 6) == pytest.approx(equal, rel=0.02)
    asked, layer = [QUESTIONS[0]] * 3, backbone.attention_layers[-1]
    for needs in (Needs(logits=True), Needs(attention=(layer,)), Needs(attention=(layer,), logits=True)):
        equal = counted(lambda needs=needs: backbone.probe(tokens, asked, needs))
        assert backbone.probe_flops(len(tokens), asked, needs, tokens.seconds) == pytest.approx(equal, rel=close)
        assert backbone.probe_flops(len(tokens), asked, needs) < 0.7 * equal  # the text is more than a third of it
    equal = counted(lambda: backbone.answer(selected(tokens, frames.seconds), QUESTIONS[0]))
    assert backbone.answer_flops(len(tokens), QUESTIONS[0], tokens.seconds) == pytest.approx(equal, rel=close)


@pytest.mark.parametrize("preset", ["adapttoken", "adapttoken_lite", "flexselect", "uniform", "stock"])
@pytest.mark.parametrize("family", [QWEN3, HYBRID], ids=["qwen3_vl", "qwen3_5"])
def test_a_pipeline_answers_questions_about_a_video(
    family: Family, preset: str, composed: Callable[..., DictConfig], needle_video: VideoItem
) -> None:
    """The option of conf as it is, but for a tiny checkpoint and small frames."""
    option = {"qwen3_vl": "qwen3_vl_8b", "qwen3_5": "qwen3_5_9b"}[family.name]
    words = {"checkpoint": family.checkpoint, "dtype": "float32", "device": "cpu"}
    words |= {"min_pixels": 4096, "max_pixels": 6144}
    adapter = [f"backbone.adapter.{key}={value}" for key, value in words.items()]
    group = ["backbone.group_ticks=8", "backbone.reference_layer=3", "frames=64", "budget=24"]
    pipeline = build_pipeline(composed(f"backbone={option}", f"preset={preset}", *adapter, *group))
    questions = [item.question for item in needle_video.items[:2]]
    outcomes = pipeline.answer(needle_video.path, questions)
    for outcome in outcomes:
        assert outcome.answer.choice in range(4) and outcome.selection is not None
        kept = outcome.selection
        assert 0 < len(kept) <= 24 and kept.clock is not None
        seconds = kept.clock[kept.tokens.tick]
        assert torch.equal(seconds, kept.tokens.seconds)
        assert kept.clock[:3].tolist() == [1.0, 5.0, 9.0]  # half-way between frames at 0 and 2, 4 and 6, 8 and 10 s


def test_a_layer_before_the_last_features_is_warned_of(
    composed: Callable[..., DictConfig], caplog: pytest.LogCaptureFixture
) -> None:
    words = [f"backbone.adapter.checkpoint={QWEN3.checkpoint}", "backbone.adapter.dtype=float32"]
    for layer in (3, 2):
        build_pipeline(
            composed("backbone=qwen3_vl_8b", "preset=adapttoken", f"backbone.reference_layer={layer}", *words)
        )
        said = [one.getMessage() for one in caplog.records if one.name == "framework.backbones.attended"]
        assert len(said) == (layer < 3)
    assert said[0].startswith("attention is asked at layer 2, but features of the tower are added until layer 2")


def test_what_was_recorded_is_answered_from_again_with_its_deepstack_features(
    composed: Callable[..., DictConfig], needle_video: VideoItem, tmp_path: Path
) -> None:
    words = [
        f"backbone.adapter.checkpoint={QWEN3.checkpoint}",
        "backbone.adapter.dtype=float32",
        "frames=32",
        "budget=24",
    ]
    words += ["backbone.adapter.min_pixels=4096", "backbone.adapter.max_pixels=6144", "backbone.reference_layer=3"]
    live = build_pipeline(composed("backbone=qwen3_vl_8b", "preset=adapttoken", "backbone.group_ticks=8", *words))
    asked = [item.question for item in needle_video.items[:2]]
    first = replace(live, open_session=Recorder(tmp_path).open).answer(needle_video.path, asked)
    again = replace(live, open_session=Recordings(tmp_path).open).answer(needle_video.path, asked)
    for one, other in zip(first, again, strict=True):
        assert other.answer.probabilities == pytest.approx(one.answer.probabilities, abs=1e-5)
        assert one.selection is not None and other.selection is not None
        assert torch.equal(one.selection.tokens.tick, other.selection.tokens.tick)
        assert other.selection.tokens.extra["deepstack"].shape == (24, 3, 32)
