"""The lab model: a tiny Qwen2.5-VL, saved and loaded like any checkpoint of that family.

Two sliding-window layers come first, so text cannot see the video there and retrieval happens in a middle layer, as in
large models. It knows nothing of the tasks that the model is trained on.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from framework.lab.tokenizer import build_tokenizer
from framework.lab.world import CELL, COLOURS, SHAPES, SIDE, SIZES, WIDE

HIDDEN = 128
HEAD = 32  # width of a head
LAYERS = 7
SLIDING_LAYERS = 2
SLIDING_WINDOW = 8
ROPE_THETA = 2e5  # the slowest frequency of time turns once in 27,700 ids, which are 13,850 ticks
MROPE_SECTION = (12, 2, 2)  # frequencies of time, row and column, the fastest first
PATCH = 14
MERGE = 2
IMAGE_MEAN = (0.48145466, 0.4578275, 0.40821073)
IMAGE_STD = (0.26862954, 0.26130258, 0.27577711)


def build_config(tokenizer: PreTrainedTokenizerFast, width: int = HIDDEN) -> Qwen2_5_VLConfig:
    """Builds the architecture of a lab model. The ids of special tokens come from the tokenizer.

    `width` is that of the embeddings. The tower is as much narrower, heads keep their size and become fewer.
    """
    token = tokenizer.convert_tokens_to_ids
    heads = width // HEAD
    spread = 0.07 * (HIDDEN / width) ** 0.5  # about 1/sqrt(width): smaller starts stay at chance for long
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": width,
            "intermediate_size": 2 * width,
            "num_hidden_layers": LAYERS,
            "num_attention_heads": heads,
            "num_key_value_heads": heads // 2,
            "max_position_embeddings": 32768,
            "initializer_range": spread,
            "use_sliding_window": True,
            "sliding_window": SLIDING_WINDOW,
            "max_window_layers": 0,
            "layer_types": ["sliding_attention"] * SLIDING_LAYERS + ["full_attention"] * (LAYERS - SLIDING_LAYERS),
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": ROPE_THETA,
                "mrope_section": list(MROPE_SECTION),
            },
            "bos_token_id": None,
            "eos_token_id": token("<|im_end|>"),
            "pad_token_id": None,
            "tie_word_embeddings": True,
        },
        vision_config={
            "depth": 2,
            "hidden_size": 3 * width // 4,
            "intermediate_size": 3 * width // 2,
            "num_heads": heads,
            "out_hidden_size": width,
            "patch_size": PATCH,
            "temporal_patch_size": 2,
            "spatial_merge_size": MERGE,
            "window_size": 112,
            "fullatt_block_indexes": [1],
            "tokens_per_second": 2,
            "initializer_range": spread,
        },
        image_token_id=token("<|image_pad|>"),
        video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"),
        vision_end_token_id=token("<|vision_end|>"),
        tie_word_embeddings=True,
    )
    return config


def build_model(seed: int, width: int = HIDDEN) -> tuple[Qwen2_5_VLForConditionalGeneration, PreTrainedTokenizerFast]:
    """Builds a fresh model and its tokenizer. The rows of object words start at unit length, nearly orthogonal."""
    tokenizer = build_tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Qwen2_5_VLForConditionalGeneration(build_config(tokenizer, width))
    rows = np.random.default_rng(seed).standard_normal((len(object_words()), width)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    ids = tokenizer.convert_tokens_to_ids(list(object_words()))
    with torch.no_grad():
        model.get_input_embeddings().weight[ids] = torch.from_numpy(rows)
    return model, tokenizer


def object_words() -> tuple[str, ...]:
    """Lists the words that describe an object: shapes, then colours, then sizes."""
    return (*SHAPES, *COLOURS, *SIZES)


def save_checkpoint(
    model: Qwen2_5_VLForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, folder: Path | str
) -> Path:
    """Writes the ordinary checkpoint layout into `folder`, and returns it as a path.

    The files hold config, weights, tokenizer, preprocessor and generation settings.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    token = tokenizer.convert_tokens_to_ids
    model.generation_config = GenerationConfig(
        do_sample=False, eos_token_id=token("<|im_end|>"), pad_token_id=token("<|endoftext|>")
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor_config(), indent=2) + "\n")
    return folder


def preprocessor_config() -> dict[str, object]:
    """Returns what Qwen2-VL's image processor reads. A frame of the lab keeps its size."""
    return {
        "image_processor_type": "Qwen2VLImageProcessor",
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": list(IMAGE_MEAN),
        "image_std": list(IMAGE_STD),
        "patch_size": PATCH,
        "temporal_patch_size": 2,
        "merge_size": MERGE,
        "min_pixels": SIDE * SIDE,
        "max_pixels": (WIDE * CELL) ** 2,
        "resample": 3,
        "rescale_factor": 1 / 255,
    }
