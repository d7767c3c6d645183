"""LLaVA-OneVision beyond conformance/: newlines, what is told of times, wrong checkpoints, and the published sizes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlavaOnevisionConfig, LlavaOnevisionForConditionalGeneration

from framework.core.errors import UsageError
from framework.core.view import Needs
from tests.fixtures.sizes import described, parameters
from tests.framework.backbones.conformance.family import QUESTIONS
from tests.framework.backbones.conformance.framed import FAMILIES, Framed

ONE, GRID = (next(family for family in FAMILIES if family.name == name) for name in ("llava_onevision", "llava_video"))
TOLD = "The film lasts {seconds:.2f} s, {frames} frames: {times}. Now the question."
# option -> (layers, width, heads, key heads, MLP, vocabulary, head size, tied, parameters in 1e9)
SIZES: dict[str, tuple[Any, ...]] = {
    "llava_onevision_0_5b": (24, 896, 14, 2, 4864, 152000, 64, True, 0.89),
    "llava_onevision_7b": (28, 3584, 28, 4, 18944, 152128, 128, False, 8.03),
    "llava_video_7b": (28, 3584, 28, 4, 18944, 152128, 128, False, 8.03),
    "llava_onevision_72b": (80, 8192, 64, 8, 29568, 152128, 128, False, 73.18),
    "llava_video_72b": (80, 8192, 64, 8, 29568, 152128, 128, False, 73.18),
}


@pytest.mark.parametrize("name", SIZES)
def test_a_published_size_is_what_its_option_says(name: str) -> None:
    layers, width, heads, key_heads, mlp, vocabulary, head, tied, billions = SIZES[name]
    text = described("qwen2", layers, width, heads, key_heads, mlp, vocabulary, head)
    classes = LlavaOnevisionConfig, LlavaOnevisionForConditionalGeneration
    total, reference = parameters(*classes, text, None, name, tied)
    assert total / 1e9 == pytest.approx(billions, abs=0.006)
    assert 0 < reference < layers


def test_the_grid_of_the_published_tower_leaves_a_rest_at_the_edges() -> None:
    """27 x 27 patches of 14 pixels become 14 x 14 tokens of 27 pixels: 6 pixels of 384 are in no patch."""
    found = object.__new__(type(ONE.adapter))
    found._set_frames(384, 14, 2)
    assert found.grid == (14, 14) and found.cell == (27, 27) and found.frame_size(1080, 1920) == (384, 384)
    assert len(found.layout(torch.arange(3), 384, 384)) == 3 * 196


@torch.no_grad()
def test_newlines_follow_rows_and_are_no_tokens() -> None:
    """Against a sequence made by hand: head, then row, newline, row, newline, ... and no other."""
    tokens, backbone = GRID.encoded(GRID.film(3)), GRID.adapter
    assert len(tokens) == 3 * 4
    prefix = backbone.prefix(tokens, backbone.before(tokens, "compact"), "compact")
    newline = GRID.stock().model.image_newline
    head = GRID.stock().get_input_embeddings()(backbone.before(tokens, "compact"))
    rows = [row for pair in tokens.embeddings.split(2) for row in (*pair, newline)]
    assert torch.equal(prefix.embeddings, torch.stack([*head, *rows]))
    assert [column - len(head) for column in prefix.columns.tolist()] == [0, 1, 3, 4, 6, 7, 9, 10, 12, 13, 15, 16]


def test_one_newline_follows_the_video_if_there_is_one() -> None:
    tokens, backbone = ONE.encoded(ONE.film(3)), ONE.adapter
    for kept in (tokens, tokens[torch.tensor([7])]):
        prefix = backbone.prefix(kept, backbone.before(kept, "original"), "original")
        assert torch.equal(prefix.embeddings[-1], ONE.stock().model.image_newline)
        assert int(prefix.columns[-1]) == len(prefix.embeddings) - 2
    nothing = backbone.prefix(tokens[:0], backbone.before(tokens[:0], "original"), "original")
    assert len(nothing.embeddings) == len(nothing.positions[0]) == len(backbone.chat.before(False, 0.0))


@pytest.mark.parametrize("family", [ONE, GRID], ids=lambda family: family.name)
def test_times_are_told_after_the_video_and_are_no_row(family: Framed) -> None:
    backbone = family.load(family.checkpoint, **family.changes, time_text=TOLD)
    film, question = family.film(3), QUESTIONS[0]
    tokens = family.encoded(film)
    said = "The film lasts 2.80 s, 3 frames: 0.20s,1.50s,2.80s. Now the question."
    head, ticks, tail = family.pieces(film, question)
    before, _, after = tail.partition(question.prompt)
    whole = torch.tensor(family.read(head + "".join(ticks) + before + said + "\n" + question.prompt + after))
    prompt = backbone.chat.split(question, True)
    own = family.adapter.chat.split(question, True)
    assert len(own.after) - len(prompt.after) == 1  # the line end between video and question is the prefix's
    assert torch.equal(whole[-len(prompt.after) :], prompt.after)
    prefix = backbone.prefix(tokens, backbone.before(tokens, "compact"), "compact")
    assert len(prefix.embeddings) + len(prompt.after) == len(whole)
    text = backbone.model.get_input_embeddings()(whole)
    told = len(family.read(before.replace("<video>", "") + said + "\n"))
    place = slice(len(prefix.embeddings) - told, len(prefix.embeddings))
    assert torch.equal(prefix.embeddings[place], text[place])
    (probe,) = backbone.probe(tokens, [question], Needs(attention=(1,)))
    assert probe.attention[1].shape == (4, len(prompt.after), 12)


def test_told_times_are_those_of_the_frames_that_are_left() -> None:
    backbone = ONE.load(ONE.checkpoint, time_text=TOLD)
    film = ONE.film(9)
    kept = ONE.encoded(film)[torch.tensor([5, 6, 33])]
    ids = backbone.ending(kept.seconds.unique_consecutive(), float(film.seconds[-1]))[-1]
    assert "lasts 10.60 s, 2 frames: 1.50s,10.60s." in backbone.tokenizer.decode(ids)
    prefix = backbone.prefix(kept, backbone.before(kept, "original", film.seconds), "original", film.seconds)
    assert prefix.text_start == int(prefix.positions[0, -1]) + 1
    assert backbone.tick_text(kept.seconds) == 1 + len(ids)


@pytest.mark.parametrize("wrong", ["{time}", "{seconds", "{frames.x}", "{0}", "{seconds:d}"])
def test_a_time_text_that_cannot_be_filled_in(wrong: str) -> None:
    with pytest.raises(UsageError, match=r"^backbone\.adapter\.time_text must be text in which {seconds}, {frames}"):
        ONE.load(ONE.checkpoint, time_text=wrong)


def test_an_unknown_newline_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^backbone\.adapter\.newline must be one of one, grid; got 'frame'"):
        ONE.load(ONE.checkpoint, newline="frame")


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        ("llava_qwen", "take or make the llava_onevision conversion of this lmms-lab checkpoint"),
        ("llavaonevision1_5", "its code is not part of transformers"),
        ("llava_next_video", "LLaVA-NeXT-Video of 2024 and not LLaVA-Video"),
        ("internvl", "take backbone=internvl3_5_8b"),
        ("acme", "there are adapters for .*llava_onevision"),
    ],
)
def test_wrong_checkpoints_come_with_advice(kind: str, advice: str, tmp_path: Path) -> None:
    shutil.copytree(ONE.checkpoint, tmp_path, dirs_exist_ok=True)
    file = tmp_path / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "model_type": kind}))
    with pytest.raises(ValueError, match=rf"type '{kind}', expected 'llava_onevision': .*{advice}"):
        ONE.load(str(tmp_path))


def test_a_checkpoint_without_the_newline_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    shutil.copytree(GRID.checkpoint, tmp_path, dirs_exist_ok=True)
    weights = load_file(tmp_path / "model.safetensors")
    name = next(one for one in weights if one.endswith("image_newline"))
    del weights[name]
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match=r"lacks 1 weights .* e\.g\. model\.image_newline"):
        GRID.load(str(tmp_path), **GRID.changes)


@pytest.mark.filterwarnings("ignore:The following device_map keys:UserWarning")  # a parameter is no module
def test_the_newline_cannot_lie_on_disk() -> None:
    map_ = {"model.vision_tower": "cpu", "model.multi_modal_projector": "cpu", "model.language_model": "cpu"}
    with pytest.raises(ValueError, match=r"^backbone\.adapter\.device_map: the row image_newline must be in memory"):
        ONE.load(ONE.checkpoint, device="auto", device_map={**map_, "model.image_newline": "disk", "lm_head": "cpu"})
