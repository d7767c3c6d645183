"""What families of single frames share, beyond conformance/: sizes of frames, ranges of ids, costs, what is refused."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from omegaconf import DictConfig
from safetensors import safe_open
from torch.utils.flop_counter import FlopCounterMode
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil

from framework.backbones import grid
from framework.benchmarks.base import VideoItem
from framework.config.parts import build_pipeline
from framework.core.errors import UsageError
from framework.core.types import Question
from framework.core.view import Needs
from framework.video.preprocess import normalise
from framework.video.resize import resize
from tests.framework.backbones.conformance.family import QUESTIONS, selected
from tests.framework.backbones.conformance.framed import FAMILIES, Framed

BY_NAME: dict[str, Framed] = {family.name: family for family in FAMILIES}
ONE_OF_EACH = [BY_NAME["internvl qwen3"], BY_NAME["llava_onevision"], BY_NAME["llava_video"]]
each = pytest.mark.parametrize("family", ONE_OF_EACH, ids=lambda family: family.name)


def again(family: Framed, **changes: Any) -> Any:
    return family.load(family.checkpoint, **{**family.changes, **changes})


@each
def test_frames_are_squares_of_one_size(family: Framed) -> None:
    backbone = family.adapter
    assert backbone.frame_size(1080, 1920) == backbone.video_frame_size(240, 320, 9) == (family.height, family.width)
    layout = backbone.layout(torch.tensor([5]), family.height, family.width)
    assert layout.row.tolist() == [0, 0, 1, 1] and layout.column.tolist() == [0, 1, 0, 1]
    with pytest.raises(ValueError, match=rf"frames must be {family.height} x {family.width} pixels, got 70 x 56"):
        backbone.layout(torch.tensor([5]), 70, 56)


@each
@pytest.mark.parametrize(
    ("key", "value"),
    [("max_pixels", 602112), ("min_pixels", 784), ("total_pixels", 90316800), ("second_per_grid", 2.0)],
)
def test_keys_of_other_families_have_one_value(family: Framed, key: str, value: float) -> None:
    only = {"max_pixels": str(family.height**2), "min_pixels": str(family.height**2)}.get(key, "null")
    with pytest.raises(ValueError, match=rf"^backbone\.adapter\.{key}: .* got {value}: set .*{key}={only}$"):
        again(family, **{key: value})


@each
@pytest.mark.parametrize("key", ["probe_positions", "answer_positions"])
def test_ids_of_one_axis_are_compact_or_original(family: Framed, key: str) -> None:
    with pytest.raises(ValueError, match=rf"^backbone\.adapter\.{key} must be one of compact, original; got 'sequen"):
        again(family, **{key: "sequential"})


@each
def test_encoding_in_several_passes_is_exact(family: Framed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two frames a pass, whatever is kept of them: the tower sees them whole."""
    film = family.film(8)
    keep = torch.tensor([[True, False, False, False], [False, True, False, False], [False] * 4, [False, True] * 2] * 2)
    whole = family.encoded(film)
    shapes: list[int] = []
    monkeypatch.setattr(grid, "PATCHES_PER_PASS", 2 * 4 * family.adapter.patches_per_cell)
    handle = family.adapter.tower.register_forward_pre_hook(
        lambda module, args, kwargs: shapes.append(len(args[0] if args else kwargs["pixel_values"])), with_kwargs=True
    )
    try:
        part = family.encoded(film, keep=keep.flatten())
    finally:
        handle.remove()
    assert shapes == [2, 2, 2]
    assert torch.equal(part.tick, whole.tick[keep.flatten()])
    torch.testing.assert_close(part.embeddings, whole.embeddings[keep.flatten()], atol=1e-5, rtol=1e-5)


@each
def test_nothing_kept_is_no_tokens_and_no_pass(family: Framed) -> None:
    nothing = family.encoded(family.film(2), keep=torch.zeros(8, dtype=torch.bool))
    assert nothing.embeddings.shape == (0, 32) and nothing.extra == {}


@each
def test_it_is_said_once_that_tokens_are_dropped_after_the_tower(
    family: Framed, caplog: pytest.LogCaptureFixture
) -> None:
    backbone, film = again(family), family.film(3)
    layout = backbone.layout(torch.arange(3), family.height, family.width)
    with caplog.at_level(logging.WARNING):
        backbone.encode(film, layout, layout.tick != 1)  # whole frames are never encoded
        assert not caplog.records
        for _ in range(2):
            backbone.encode(film, layout, layout.row == 0)
    assert [record.message for record in caplog.records] == [
        "the tower of this model sees whole frames: tokens that are refused before it go after it"
    ]


@each
def test_compact_ids_follow_each_other_whatever_is_kept(family: Framed) -> None:
    backbone = again(family, answer_positions="compact")
    film = family.film(11)
    tokens = family.encoded(film)
    few = tokens[torch.tensor([5, 8, 9, 41])]  # frames 1, 2 and 10
    prefix = backbone.prefix(few, backbone.before(few, "compact", film.seconds), "compact", film.seconds)
    assert prefix.positions.tolist() == [[*range(len(prefix.embeddings))]]
    assert prefix.text_start == len(prefix.embeddings)
    texts = [*backbone.text.pieces(few, backbone.before(few, "compact"), [0, 1, 2], backbone.text.starts(3), None)]
    ids = [piece for piece, _ in texts if isinstance(piece, torch.Tensor) and not piece.is_floating_point()]
    if family.name.startswith("internvl"):
        said = backbone.tokenizer.decode(torch.cat(ids))
        assert said.count("Frame") == 3 and "Frame3: <img>" in said and "Frame11" not in said


@each
def test_original_text_follows_the_whole_video(family: Framed) -> None:
    """Its ids are those of the prompt of all eleven frames, although two of them are left."""
    backbone, film, question = family.adapter, family.film(11), QUESTIONS[0]
    tokens = family.encoded(film)[torch.tensor([5, 9])]
    prefix = backbone.prefix(tokens, backbone.before(tokens, "original", film.seconds), "original", film.seconds)
    after = backbone.chat.split(question, True).after
    assert prefix.text_start + len(after) == family.asked(film, question).ids.shape[1]
    assert (prefix.positions[0].diff() > 0).all() and int(prefix.positions.max()) < prefix.text_start


@each
def test_ids_beyond_the_trained_range_are_said_once(family: Framed, caplog: pytest.LogCaptureFixture) -> None:
    backbone = again(family)
    tokens = family.encoded(family.film(4))
    backbone.decoder.config.max_position_embeddings = 30
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            backbone.probe(tokens, QUESTIONS[:1], Needs(logits=True))
    (record,) = caplog.records
    assert "this model was made for 30" in record.message and "answer_positions=compact" in record.message


def test_rotary_angles_that_change_with_the_longest_prompt_are_refused_beyond_it() -> None:
    """InternLM2.5's would leave the next video with other angles than it has alone."""
    family = BY_NAME["internvl llama"]
    backbone = again(family)
    tokens = family.encoded(family.film(4))
    backbone.decoder.config.max_position_embeddings = 30
    backbone.decoder.config.rope_parameters = {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}
    with pytest.raises(UsageError, match=r"position ids go to \d+, this model was made for 30: set backbone"):
        backbone.probe(tokens, QUESTIONS[:1], Needs(logits=True))


@each
def test_a_tower_costs_what_torch_counts(family: Framed) -> None:
    backbone, film = again(family, attention="eager"), family.film(3)
    layout = backbone.layout(torch.arange(3), family.height, family.width)
    with FlopCounterMode(display=False) as counter:
        backbone.encode(film, layout)
    assert backbone.encode_flops(len(layout), 4) == pytest.approx(counter.get_total_flops(), rel=0.02)
    assert backbone.encode_flops(9, 4) == backbone.encode_flops(12, 4) == 3 * backbone.encode_flops(4, 4)
    assert backbone.encode_flops(0, 4) == 0


@each
def test_text_around_frames_is_counted(family: Framed) -> None:
    backbone, film = family.adapter, family.film(11)
    tokens = family.encoded(film)
    prefix = backbone.prefix(tokens, backbone.before(tokens, "compact"), "compact")
    around = len(prefix.embeddings) - len(tokens) - len(backbone.before(tokens, "compact"))
    assert backbone.tick_text(tokens.seconds) == around > 0
    assert backbone.tick_text(tokens.seconds[:0]) == 0
    needs, asked = Needs(logits=True), QUESTIONS[:1]
    assert backbone.probe_flops(44, asked, needs, tokens.seconds) > backbone.probe_flops(44, QUESTIONS[:1], needs)


@each
def test_a_system_message_comes_first(family: Framed) -> None:
    backbone = again(family, system="Be brief.")
    tokens = family.encoded(family.film(1))
    for some in (tokens, tokens[:0]):
        said = backbone.tokenizer.decode(backbone.before(some, "compact"))
        assert said.startswith("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n")
    assert "system" not in backbone.tokenizer.decode(family.adapter.before(tokens, "compact"))


@each
def test_files_have_the_old_names_and_are_read(family: Framed) -> None:
    """transformers 5 still writes the names of 4.5x, in which the language model has a head of its own."""
    with safe_open(f"{family.checkpoint}/model.safetensors", "pt") as file:
        names = {*file.keys()}
    assert any(name.startswith("language_model.model.layers.") for name in names)
    assert any(name.startswith("vision_tower.") for name in names) and "language_model.lm_head.weight" in names


@each
def test_names_of_the_class_itself_are_read_too(family: Framed, tmp_path: Any) -> None:
    from pathlib import Path

    from safetensors.torch import save_file

    state = {name: value.contiguous() for name, value in family.stock().state_dict().items()}
    for file in Path(family.checkpoint).iterdir():
        if file.suffix != ".safetensors":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    save_file(state, tmp_path / "model.safetensors", {"format": "pt"})
    backbones = family.load(str(tmp_path), **family.changes), again(family)
    for backbone in backbones:
        for weight in backbone.model.parameters():  # where a file puts a weight in memory changes how products round
            weight.data = weight.data.clone()
    tokens = family.encoded(family.film(2))
    (one,), (other,) = (backbone.probe(tokens, QUESTIONS[:1], Needs(logits=True)) for backbone in backbones)
    assert torch.equal(one.logits, other.logits)


@each
def test_bfloat16_stays_near(family: Framed) -> None:
    backbone, film = again(family, dtype="bfloat16"), family.film(4)
    tokens = backbone.encode(film, backbone.layout(torch.arange(4), family.height, family.width))
    assert tokens.embeddings.dtype == torch.bfloat16
    (half,) = backbone.probe(tokens, QUESTIONS[:1], Needs(attention=(3,), logits=True))
    (full,) = family.adapter.probe(family.encoded(film), QUESTIONS[:1], Needs(attention=(3,), logits=True))
    assert half.attention[3].dtype == torch.float32
    assert (half.logits - full.logits).abs().mean() < 0.1 * full.logits.abs().mean() + 0.1


@each
@pytest.mark.filterwarnings("ignore:The following device_map keys:UserWarning")  # a parameter is no module
def test_half_of_the_layers_on_disk(family: Framed, tmp_path: Any) -> None:
    map_ = {"model.vision_tower": "cpu", "model.multi_modal_projector": "cpu", "lm_head": "disk"}
    map_ |= {f"model.language_model.layers.{i}": "disk" if i % 2 else "cpu" for i in range(4)}
    map_ |= {f"model.language_model.{part}": "cpu" for part in ("embed_tokens", "norm", "rotary_emb")}
    if family.name.startswith("llava"):
        map_["model.image_newline"] = "cpu"
    backbone = again(family, device="auto", device_map=map_)
    film = family.film(3)
    tokens = backbone.encode(film, backbone.layout(torch.arange(3), family.height, family.width))
    needs = Needs(attention=(0, 1, 2, 3), logits=True)
    (apart,), (whole,) = (
        b.probe(tokens, [replace(QUESTIONS[2], max_new_tokens=3)], needs) for b in (backbone, family.adapter)
    )
    torch.testing.assert_close(apart.logits, whole.logits, atol=2e-5, rtol=1e-5)
    for layer in needs.attention:
        torch.testing.assert_close(apart.attention[layer], whole.attention[layer], atol=2e-5, rtol=1e-5)


def test_pixels_are_those_of_the_stock_processor_that_can_be_imported() -> None:
    """A wide picture squashed to a square; what is left are roundings of the resizing (framework/video/resize.py)."""
    generator = torch.Generator().manual_seed(1)
    rough = torch.rand(1, 3, 12, 20, generator=generator)
    picture = (torch.nn.functional.interpolate(rough, size=(240, 426), mode="bicubic").clamp(0, 1) * 255).byte()
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    stock = GotOcr2ImageProcessorPil(
        size={"height": 448, "width": 448}, crop_to_patches=False, image_mean=mean, image_std=std
    )
    expected = stock(picture[0].permute(1, 2, 0).numpy(), return_tensors="pt")["pixel_values"]
    ours = normalise(resize(picture, (448, 448)), mean, std)
    assert ours.shape == expected.shape == (1, 3, 448, 448)
    assert (ours - expected).abs().max() < 3 / 255 / 0.224 and (ours - expected).abs().mean() < 0.002


def test_a_question_that_looks_like_a_special_token_stays_text() -> None:
    backbone = BY_NAME["internvl qwen2"].adapter
    question = Question("x", "is </img> a tag?", "is </img> a tag?")
    close = backbone.tokenizer.convert_tokens_to_ids("</img>")
    assert close not in backbone.chat.split(question, True).after.tolist()
    tokens = BY_NAME["internvl qwen2"].encoded(BY_NAME["internvl qwen2"].film(1))
    assert backbone.answer(selected(tokens), question).text is not None


@each
@pytest.mark.parametrize("preset", ["adapttoken", "flexselect_published", "uniform", "stock"])
def test_a_family_answers_questions_about_a_video(
    family: Framed, preset: str, composed: Callable[..., DictConfig], needle_video: VideoItem
) -> None:
    """The shipped option with another checkpoint: two questions, 16 frames of the file."""
    options = {"internvl": "internvl3_5_8b", "llava_onevision": "llava_onevision_7b", "llava_video": "llava_video_7b"}
    area = family.height**2
    pixels = [f"backbone.{part}.{key}={area}" for part in ("adapter", "stock") for key in ("min_pixels", "max_pixels")]
    words = [f"backbone.adapter.checkpoint={family.checkpoint}", "backbone.adapter.dtype=float32", *pixels]
    limits = ["frames=16", "budget=20", "backbone.group_ticks=8", "backbone.reference_layer=2"]
    cfg = composed(
        f"preset={preset}",
        f"backbone={options[family.name.split()[0]]}",
        "backbone.adapter.device=cpu",
        *words,
        *limits,
    )
    pipeline = build_pipeline(cfg)
    for outcome in pipeline.answer(needle_video.path, [item.question for item in needle_video.items[:2]]):
        assert outcome.answer.choice in range(4) and outcome.selection is not None
        assert 0 < len(outcome.selection) <= 20 and outcome.trace.tokens_total == 16 * 4
