"""InternVL beyond conformance/: its prompt, wrong checkpoints, and the published sizes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, InternVLConfig, InternVLForConditionalGeneration, InternVLProcessor

from framework.core.errors import UsageError
from tests.fixtures.sizes import described, parameters
from tests.framework.backbones.conformance.family import QUESTIONS
from tests.framework.backbones.conformance.framed import FAMILIES, Framed

FAMILY: Framed = FAMILIES[0]
LARGE = {  # the tower of 5.5 B; the other one is the class's default, with biases
    "hidden_size": 3200,
    "num_hidden_layers": 45,
    "num_attention_heads": 25,
    "intermediate_size": 12800,
    "norm_type": "rms_norm",
    "use_qk_norm": True,
}
# option -> (text model, layers, width, heads, key heads, MLP, vocabulary, head size, large tower, parameters in 1e9)
SIZES: dict[str, tuple[Any, ...]] = {
    "internvl2_5_8b": ("llama", 32, 4096, 32, 8, 14336, 92553, 128, False, 8.08),
    "internvl3_1b": ("qwen2", 24, 896, 14, 2, 4864, 151674, 64, False, 0.94),
    "internvl3_2b": ("qwen2", 28, 1536, 12, 2, 8960, 151674, 128, False, 2.09),
    "internvl3_8b": ("qwen2", 28, 3584, 28, 4, 18944, 151674, 128, False, 7.94),
    "internvl3_14b": ("qwen2", 48, 5120, 40, 8, 13824, 151674, 128, False, 15.12),
    "internvl3_38b": ("qwen2", 64, 5120, 40, 8, 27648, 151674, 128, True, 38.39),
    "internvl3_78b": ("qwen2", 80, 8192, 64, 8, 29568, 151674, 128, True, 78.41),
    "internvl3_5_1b": ("qwen3", 28, 1024, 16, 8, 3072, 151936, 128, False, 1.06),
    "internvl3_5_2b": ("qwen3", 28, 2048, 16, 8, 6144, 151936, 128, False, 2.35),
    "internvl3_5_4b": ("qwen3", 36, 2560, 32, 8, 9728, 151936, 128, False, 4.73),
    "internvl3_5_8b": ("qwen3", 36, 4096, 32, 8, 12288, 151936, 128, False, 8.53),
    "internvl3_5_14b": ("qwen3", 40, 5120, 40, 8, 17408, 151936, 128, False, 15.12),
    "internvl3_5_38b": ("qwen3", 64, 5120, 64, 8, 25600, 151936, 128, True, 38.39),
}


@pytest.mark.parametrize("name", SIZES)
def test_a_published_size_is_what_its_option_says(name: str) -> None:
    kind, layers, width, heads, key_heads, mlp, vocabulary, head, large, billions = SIZES[name]
    text = described(kind, layers, width, heads, key_heads, mlp, vocabulary, head)
    vision = LARGE if large else {"attention_bias": True}
    total, reference = parameters(InternVLConfig, InternVLForConditionalGeneration, text, vision, name)
    assert total / 1e9 == pytest.approx(billions, abs=0.006)
    assert 0 < reference < layers


def test_the_prompt_is_that_of_the_stock_processor() -> None:
    """Of eleven frames: its own function writes what stands for a video, and the tokenizer reads the whole."""
    frames, question = FAMILY.film(11), QUESTIONS[0]
    said = SimpleNamespace(
        start_image_token="<img>", end_image_token="</img>", image_token="<IMG_CONTEXT>", image_seq_length=4
    )
    pixels = {"pixel_values_videos": [torch.zeros(11, 3, 56, 56)]}
    video = InternVLProcessor.replace_video_token(said, pixels, 0)
    head, tail = FAMILY.rendered(question, "<video>")
    backbone, tokens = FAMILY.adapter, FAMILY.encoded(frames)
    prefix = backbone.prefix(tokens, backbone.before(tokens, "compact"), "compact")
    after = backbone.chat.split(question, True).after
    whole = torch.tensor(FAMILY.read(head + video + tail))
    text = torch.ones(len(whole), dtype=torch.bool)
    text[prefix.columns] = False
    assert (whole[prefix.columns] == backbone.model.config.image_token_id).all() and len(prefix.columns) == 44
    expected = backbone.model.get_input_embeddings()(whole)[text]
    ours = torch.cat([prefix.embeddings, backbone.model.get_input_embeddings()(after)])[text]
    assert torch.equal(ours, expected) and torch.equal(whole[-len(after) :], after)


def test_frames_without_text_are_flexselects() -> None:
    backbone = FAMILY.load(FAMILY.checkpoint, frame_text="", between="")
    tokens = FAMILY.encoded(FAMILY.film(3))
    prefix = backbone.prefix(tokens, backbone.before(tokens, "compact"), "compact")
    assert len(prefix.embeddings) == len(backbone.chat.before(True, 0.0)) + 3 * (4 + 2)
    assert backbone.tokenizer.decode(backbone.before(tokens, "compact")).endswith("user\n<img>")


@pytest.mark.parametrize("wrong", ["{m}", "{n", "{n.x}", "{0}"])
def test_a_frame_text_that_cannot_be_filled_in(wrong: str) -> None:
    with pytest.raises(UsageError, match=r"^backbone\.adapter\.frame_text must be text in which {n} alone"):
        FAMILY.load(FAMILY.checkpoint, frame_text=wrong)


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """copied(model_type=...) -> a checkpoint whose config.json says something else; no weight of it may be read."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("weights were read")

    monkeypatch.setattr("framework.backbones.loading.load_model", refuse)

    def make(**changes: Any) -> str:
        shutil.copytree(FAMILY.checkpoint, tmp_path / "copy", dirs_exist_ok=True)
        file = tmp_path / "copy" / "config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
        return str(tmp_path / "copy")

    return make


def test_a_checkpoint_with_code_of_its_own_is_sent_to_its_conversion(copied: Callable[..., str]) -> None:
    message = (
        r"type 'internvl_chat', expected 'internvl': take the checkpoint whose name ends in -hf or -HF, or convert"
    )
    with pytest.raises(ValueError, match=message):
        FAMILY.load(copied(model_type="internvl_chat"))


def test_another_family_is_named(copied: Callable[..., str]) -> None:
    with pytest.raises(
        ValueError, match=r"type 'llava_onevision', expected 'internvl': take backbone=llava_onevision_7b"
    ):
        FAMILY.load(copied(model_type="llava_onevision"))


def test_a_text_model_that_nobody_has_compared_is_refused(copied: Callable[..., str]) -> None:
    text = {"model_type": "gpt_oss"}  # attention with sinks: rows would be wrong, silently
    with pytest.raises(ValueError, match=r"is of type 'gpt_oss', expected qwen2, qwen3, llama"):
        FAMILY.load(copied(text_config=text))


@pytest.mark.parametrize("token", ["<img>", "</img>", "<IMG_CONTEXT>"])
def test_brackets_must_be_single_tokens(copied: Callable[..., str], token: str) -> None:
    checkpoint = Path(copied())
    for file in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        path = checkpoint / file
        if path.exists():
            path.write_text(path.read_text().replace(f'"{token}"', f'"[{token[1:-1]}]"'))
    assert len(AutoTokenizer.from_pretrained(checkpoint)(token)["input_ids"]) > 1
    with pytest.raises(ValueError, match=r"^backbone\.adapter\.checkpoint: the tokenizer of .* does not read"):
        FAMILY.load(str(checkpoint))


def test_a_template_without_a_video_is_refused(copied: Callable[..., str]) -> None:
    checkpoint = Path(copied())
    template = "{% for m in messages %}{{ m.role }}{% for p in m.content %}{{ p.text }}{% endfor %}{% endfor %}"
    (checkpoint / "chat_template.jinja").write_text(template)
    with pytest.raises(ValueError, match="its chat template must show a video as one <video>"):
        FAMILY.load(str(checkpoint))


def test_a_checkpoint_must_say_how_pixels_are_normalised(copied: Callable[..., str]) -> None:
    checkpoint = Path(copied())
    (checkpoint / "preprocessor_config.json").unlink()
    with pytest.raises(ValueError, match=r"lacks a file that says image_mean"):
        FAMILY.load(str(checkpoint))
