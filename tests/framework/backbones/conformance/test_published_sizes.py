"""The published sizes without their weights: parameters, layers with attention and tokens per tick against conf."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from omegaconf import DictConfig
from transformers import (
    Qwen3_5Config,
    Qwen3_5ForConditionalGeneration,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLMoeConfig,
    Qwen3VLMoeForConditionalGeneration,
)

from framework.backbones.grid import NativeGrid
from framework.backbones.qwen3_vl import Qwen3VL

SMALL_TOWER = {"depth": 24, "hidden_size": 1024, "intermediate_size": 4096}
TOWER = {"depth": 27, "hidden_size": 1152, "intermediate_size": 4304}


@dataclass(frozen=True)
class Size:
    """Holds a size of docs/backbones.md: layers, width, heads, key heads, MLP; what it comes to."""

    text: tuple[int, int, int, int, int]
    tied: bool
    tower: dict[str, int]
    billions: float
    key_value_bytes: int  # per token, in bf16
    more: dict[str, int] | None = None  # of the text model


SIZES = {
    "qwen3_vl_2b": Size((28, 2048, 16, 8, 6144), True, SMALL_TOWER, 2.13, 114_688),
    "qwen3_vl_4b": Size((36, 2560, 32, 8, 9728), True, SMALL_TOWER, 4.44, 147_456),
    "qwen3_vl_8b": Size((36, 4096, 32, 8, 12288), False, TOWER, 8.77, 147_456),
    "qwen3_vl_32b": Size((64, 5120, 64, 8, 25600), False, TOWER, 33.36, 262_144),
    "qwen3_vl_30b_a3b": Size(
        *((48, 2048, 32, 4, 6144), False, TOWER, 31.07, 98_304),
        {"num_experts": 128, "num_experts_per_tok": 8, "moe_intermediate_size": 768},
    ),
    "qwen3_5_0_8b": Size(
        *((24, 1024, 8, 2, 3584), True, {"depth": 12, "hidden_size": 768, "intermediate_size": 3072}, 0.85, 12_288),
        {"linear_num_value_heads": 16, "num_heads": 12},
    ),
    "qwen3_5_2b": Size((24, 2048, 8, 2, 6144), True, SMALL_TOWER, 2.21, 12_288, {"linear_num_value_heads": 16}),
    "qwen3_5_4b": Size((32, 2560, 16, 4, 9216), True, SMALL_TOWER, 4.54, 32_768, {"linear_num_value_heads": 32}),
    "qwen3_5_9b": Size((32, 4096, 16, 4, 12288), False, TOWER, 9.41, 32_768, {"linear_num_value_heads": 32}),
    "qwen3_5_27b": Size((64, 5120, 24, 4, 17408), False, TOWER, 27.36, 65_536, {"linear_num_value_heads": 48}),
}
DEEPSTACK = {24: [5, 11, 17], 27: [8, 16, 24]}


def built(name: str) -> Any:
    """The model of a size on the meta device, which holds no number."""
    size, hybrid = SIZES[name], name.startswith("qwen3_5")
    layers, width, heads, key_heads, wide = size.text
    text = {
        "num_hidden_layers": layers,
        "hidden_size": width,
        "num_attention_heads": heads,
        "num_key_value_heads": key_heads,
        "intermediate_size": wide,
        "head_dim": 256 if hybrid else 128,
        "vocab_size": 248_320 if hybrid else 151_936,
        "tie_word_embeddings": size.tied,
        **(size.more or {}),
    }
    heads_of_tower = text.pop("num_heads", 16)
    vision = {**size.tower, "num_heads": heads_of_tower, "out_hidden_size": width, "num_position_embeddings": 2304}
    if not hybrid:
        vision["deepstack_visual_indexes"] = DEEPSTACK[size.tower["depth"]]
    if "moe_intermediate_size" in text:
        kind: Any = (Qwen3VLMoeConfig, Qwen3VLMoeForConditionalGeneration)
    elif hybrid:
        kind = (Qwen3_5Config, Qwen3_5ForConditionalGeneration)
    else:
        kind = (Qwen3VLConfig, Qwen3VLForConditionalGeneration)
    with torch.device("meta"):
        return kind[1](kind[0](text_config=text, vision_config=vision, tie_word_embeddings=size.tied))


@pytest.mark.parametrize("name", SIZES)
def test_a_published_size_is_what_conf_says_of_it(name: str, composed: Callable[..., DictConfig]) -> None:
    size, model, backbone = SIZES[name], built(name), composed(f"backbone={name}").backbone
    assert sum(p.numel() for p in model.parameters()) / 1e9 == pytest.approx(size.billions, abs=0.006)
    decoder = model.model.language_model
    layers = Qwen3VL.attention_layers.fget(SimpleNamespace(decoder=decoder))  # type: ignore[attr-defined]
    assert backbone.reference_layer in layers
    levels = len(getattr(model.model.visual, "deepstack_visual_indexes", ()))
    assert backbone.reference_layer >= levels and len(decoder.layers) == size.text[0]
    width = decoder.layers[layers[0]].self_attn.k_proj.out_features
    assert len(layers) * 2 * width * 2 == size.key_value_bytes
    adapter, vision = backbone.adapter, model.config.vision_config
    side = vision.patch_size * vision.spatial_merge_size
    limits = {key: adapter[key] for key in ("min_pixels", "max_pixels", "total_pixels")}
    grid = SimpleNamespace(cell=(side, side), frames_per_tick=vision.temporal_patch_size, **limits)
    for frame, tokens in (((1080, 1920), 209), ((720, 960), 204)):
        height, width = NativeGrid.frame_size(grid, *frame)  # type: ignore[arg-type]
        assert height * width // side**2 == tokens


@pytest.mark.parametrize(("frames", "size"), [(64, (448, 832)), (768, (128, 224))])
def test_stock_pixels_are_those_of_the_stock_processor(
    frames: int, size: tuple[int, int], composed: Callable[..., DictConfig]
) -> None:
    """Of 1080p: what transformers' own rule makes of the whole video [src: spec of Qwen3-VL's video processor]."""
    adapter = composed("backbone=qwen3_vl_8b", "preset=stock").backbone.adapter
    limits = {key: adapter[key] for key in ("min_pixels", "max_pixels", "total_pixels")}
    grid = SimpleNamespace(cell=(32, 32), frames_per_tick=2, **limits)
    assert NativeGrid.video_frame_size(grid, 1080, 1920, frames) == size  # type: ignore[arg-type]
