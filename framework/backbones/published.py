"""The sizes of published checkpoints, so that what they need can be said before anything is downloaded.

Sources: docs/backbones.md. Most sizes are recalled; the parameters that they come to equal the published ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from transformers import AutoConfig

Text = tuple[int, int, int, int, int]  # layers, width, heads, key heads, width of the feed-forward layers
SMALL = {"depth": 24, "hidden_size": 1024, "intermediate_size": 4096}
LARGE = {"depth": 27, "hidden_size": 1152, "intermediate_size": 4304}
DEEPSTACK = {24: [5, 11, 17], 27: [8, 16, 24]}  # by the depth of the tower
INTERN_LARGE = {
    **{"hidden_size": 3200, "num_hidden_layers": 45, "num_attention_heads": 25, "intermediate_size": 12800},
    **{"norm_type": "rms_norm", "use_qk_norm": True},
}
EXPERTS = {"num_experts": 128, "num_experts_per_tok": 8, "moe_intermediate_size": 768}


def configuration(checkpoint: str) -> Any:
    """Returns the configuration of a checkpoint that conf/backbone names; None where its sizes are not known here."""
    make = PUBLISHED.get(checkpoint)
    return None if make is None else make()


def _text(text: Text, vocabulary: int, **more: Any) -> dict[str, Any]:
    names = ("num_hidden_layers", "hidden_size", "num_attention_heads", "num_key_value_heads", "intermediate_size")
    return {**dict(zip(names, text, strict=True)), "vocab_size": vocabulary, **more}


def _config(kind: str, text: Mapping[str, Any], vision: Mapping[str, Any] | None, tied: bool) -> Any:
    both = {"tie_word_embeddings": tied}
    return AutoConfig.for_model(kind, text_config={**text, **both}, vision_config=vision, **both)


def _qwen25(text: Text, inner: int = 3420, vocabulary: int = 152_064, tied: bool = False) -> Any:
    vision = {"depth": 32, "hidden_size": 1280, "num_heads": 16, "intermediate_size": inner, "out_hidden_size": text[1]}
    return _config("qwen2_5_vl", _text(text, vocabulary), vision, tied)


def _qwen3(text: Text, tower: Mapping[str, Any], tied: bool = False, experts: Mapping[str, int] | None = None) -> Any:
    vision = {**tower, "num_heads": 16, "out_hidden_size": text[1], "num_position_embeddings": 2304}
    vision["deepstack_visual_indexes"] = DEEPSTACK[tower["depth"]]
    kind, experts = ("qwen3_vl_moe", experts) if experts else ("qwen3_vl", {})
    return _config(kind, _text(text, 151_936, head_dim=128, **experts), vision, tied)


def _qwen35(text: Text, tower: Mapping[str, Any], value_heads: int, tied: bool = True, heads: int = 16) -> Any:
    vision = {**tower, "num_heads": heads, "out_hidden_size": text[1], "num_position_embeddings": 2304}
    more = {"head_dim": 256, "linear_num_value_heads": value_heads}
    return _config("qwen3_5", _text(text, 248_320, **more), vision, tied)


def _intern(kind: str, text: Text, vocabulary: int, head: int = 128, large: bool = False) -> Any:
    vision = INTERN_LARGE if large else {"attention_bias": True}
    return _config("internvl", {"model_type": kind, **_text(text, vocabulary, head_dim=head)}, vision, False)


def _llava(text: Text, vocabulary: int = 152_128, head: int = 128, tied: bool = False) -> Any:
    return _config("llava_onevision", {"model_type": "qwen2", **_text(text, vocabulary, head_dim=head)}, None, tied)


_intern3, _intern35 = partial(_intern, "qwen2", vocabulary=151_674), partial(_intern, "qwen3", vocabulary=151_936)
_SEVEN, _SEVENTY = (28, 3584, 28, 4, 18944), (80, 8192, 64, 8, 29568)
_INTERN, _QWEN = "OpenGVLab/InternVL", "Qwen/Qwen"
PUBLISHED = {
    f"{_QWEN}2.5-VL-3B-Instruct": partial(_qwen25, (36, 2048, 16, 2, 11008), vocabulary=151_936, tied=True),
    f"{_QWEN}2.5-VL-7B-Instruct": partial(_qwen25, _SEVEN),
    f"{_QWEN}2.5-VL-32B-Instruct": partial(_qwen25, (64, 5120, 40, 8, 27648), 3456),
    f"{_QWEN}2.5-VL-72B-Instruct": partial(_qwen25, _SEVENTY, 3456),
    f"{_QWEN}3-VL-2B-Instruct": partial(_qwen3, (28, 2048, 16, 8, 6144), SMALL, True),
    f"{_QWEN}3-VL-4B-Instruct": partial(_qwen3, (36, 2560, 32, 8, 9728), SMALL, True),
    f"{_QWEN}3-VL-8B-Instruct": partial(_qwen3, (36, 4096, 32, 8, 12288), LARGE),
    f"{_QWEN}3-VL-32B-Instruct": partial(_qwen3, (64, 5120, 64, 8, 25600), LARGE),
    f"{_QWEN}3-VL-30B-A3B-Instruct": partial(_qwen3, (48, 2048, 32, 4, 6144), LARGE, experts=EXPERTS),
    f"{_QWEN}3.5-0.8B": partial(
        _qwen35, (24, 1024, 8, 2, 3584), {"depth": 12, "hidden_size": 768, "intermediate_size": 3072}, 16, heads=12
    ),
    f"{_QWEN}3.5-2B": partial(_qwen35, (24, 2048, 8, 2, 6144), SMALL, 16),
    f"{_QWEN}3.5-4B": partial(_qwen35, (32, 2560, 16, 4, 9216), SMALL, 32),
    f"{_QWEN}3.5-9B": partial(_qwen35, (32, 4096, 16, 4, 12288), LARGE, 32, tied=False),
    f"{_QWEN}3.5-27B": partial(_qwen35, (64, 5120, 24, 4, 17408), LARGE, 48, tied=False),
    f"{_INTERN}3-1B-hf": partial(_intern3, (24, 896, 14, 2, 4864), head=64),
    f"{_INTERN}3-2B-hf": partial(_intern3, (28, 1536, 12, 2, 8960)),
    f"{_INTERN}3-8B-hf": partial(_intern3, _SEVEN),
    f"{_INTERN}3-14B-hf": partial(_intern3, (48, 5120, 40, 8, 13824)),
    f"{_INTERN}3-38B-hf": partial(_intern3, (64, 5120, 40, 8, 27648), large=True),
    f"{_INTERN}3-78B-hf": partial(_intern3, _SEVENTY, large=True),
    f"{_INTERN}3_5-1B-HF": partial(_intern35, (28, 1024, 16, 8, 3072)),
    f"{_INTERN}3_5-2B-HF": partial(_intern35, (28, 2048, 16, 8, 6144)),
    f"{_INTERN}3_5-4B-HF": partial(_intern35, (36, 2560, 32, 8, 9728)),
    f"{_INTERN}3_5-8B-HF": partial(_intern35, (36, 4096, 32, 8, 12288)),
    f"{_INTERN}3_5-14B-HF": partial(_intern35, (40, 5120, 40, 8, 17408)),
    f"{_INTERN}3_5-38B-HF": partial(_intern35, (64, 5120, 64, 8, 25600), large=True),
    "./InternVL2_5-8B-hf": partial(_intern, "llama", (32, 4096, 32, 8, 14336), 92_553),
    "llava-hf/llava-onevision-qwen2-0.5b-ov-hf": partial(_llava, (24, 896, 14, 2, 4864), 152_000, 64, True),
    "llava-hf/llava-onevision-qwen2-7b-ov-hf": partial(_llava, _SEVEN),
    "llava-hf/llava-onevision-qwen2-72b-ov-hf": partial(_llava, _SEVENTY),
    "Isotr0py/LLaVA-Video-7B-Qwen2-hf": partial(_llava, _SEVEN),
    "./LLaVA-Video-72B-Qwen2-hf": partial(_llava, _SEVENTY),
}
