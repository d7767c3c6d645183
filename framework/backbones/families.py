"""Which kinds of checkpoints have an adapter, and what to do with well-known ones that have none. Loads no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ADAPTERS = {  # model type of config.json -> an option of conf/backbone whose adapter takes it
    "qwen2_5_vl": "qwen2_5_vl_7b",
    "qwen3_vl": "qwen3_vl_8b",
    "qwen3_vl_moe": "qwen3_vl_30b_a3b",
    "qwen3_5": "qwen3_5_9b",
    "qwen3_5_moe": "qwen3_5_9b",
    "internvl": "internvl3_5_8b",
    "llava_onevision": "llava_onevision_7b",
}
TAKEN = {  # class of an adapter -> the model types that it takes
    "Qwen25VL": ("qwen2_5_vl",),
    "Qwen3VL": ("qwen3_vl", "qwen3_vl_moe", "qwen3_5", "qwen3_5_moe"),
    "InternVL": ("internvl",),
    "LlavaOneVision": ("llava_onevision",),
}
ADVICE = {
    "internvl_chat": "take the checkpoint whose name ends in -hf or -HF, or convert it with transformers' own script",
    "llava_qwen": "take or make the llava_onevision conversion of this lmms-lab checkpoint",
    "llava_llama": "take or make the llava_onevision conversion of this lmms-lab checkpoint",
    "llavaonevision1_5": "its code is not part of transformers, so it has no adapter",
    "llava_onevision2": "its code is not part of transformers, so it has no adapter",
    "llava_next_video": "this is LLaVA-NeXT-Video of 2024 and not LLaVA-Video, and has no adapter",
    "qwen2_vl": "take a Qwen2.5-VL, Qwen3-VL or Qwen3.5 checkpoint",
}


def advice(found: str | None) -> str:
    """Says what to do with a checkpoint of the model type `found`, which an adapter does not take."""
    if found in ADVICE:
        return ADVICE[found]
    if found in ADAPTERS:
        return f"take backbone={ADAPTERS[found]}, or another option of its family, with this checkpoint"
    return f"there are adapters for {', '.join(ADAPTERS)}"


def frames_per_tick(config: Mapping[str, Any]) -> int:
    """Returns how many frames the vision tower of a checkpoint encodes together, by its config.json."""
    unless_said = 2 if str(config.get("model_type")).startswith("qwen") else 1
    return int((config.get("vision_config") or {}).get("temporal_patch_size", unless_said))
