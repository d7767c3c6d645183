"""A minuscule random Qwen2.5-VL, saved like any checkpoint of the family and loaded through the adapter.

Two sliding-window layers and two full ones, grouped-query attention, windows in the vision tower, byte-level tokenizer
with Qwen's special tokens and a chat template with a system prompt.
"""

from __future__ import annotations

import json
from functools import lru_cache

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from framework.backbones.qwen2_5_vl import Qwen25VL
from framework.core.types import Frames, Question, Selection, Tokens

SPECIAL = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
]
TEMPLATE = """\
{% for message in messages %}{% if loop.first and message['role'] != 'system' %}<|im_start|>system
Be of help.<|im_end|>
{% endif %}<|im_start|>{{ message['role'] }}
{% for part in message['content'] %}{% if part['type'] == 'video' %}<|vision_start|><|video_pad|><|vision_end|>\
{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
SPLIT = r"'s|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+"
CORPUS = (
    "what color is the star? which shape is red? what happens first? red blue green black answer with the letter only"
)
HEIGHT, WIDTH = 56, 84  # 2 x 3 tokens
ADAPTER = {
    "overlay": None,
    "dtype": "float32",
    "device": "cpu",
    "device_map": None,
    "attention": "sdpa",
    "min_pixels": 784,
    "max_pixels": 50176,
    "text_offset": "grid",
    "probe_positions": "compact",
    "answer_positions": "original",
    "compact_step": 2,
    "probe_tokens": 16,
    "questions_per_pass": 16,
}


def build_tokenizer() -> PreTrainedTokenizerFast:
    from tokenizers import Regex

    tokenizer = Tokenizer(models.BPE())
    pieces = [
        pre_tokenizers.Split(Regex(SPLIT), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(pieces)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator([CORPUS], trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>", additional_special_tokens=SPECIAL
    )
    fast.chat_template = TEMPLATE
    return fast


def build_checkpoint(folder, tied: bool) -> str:
    tokenizer = build_tokenizer()
    token = tokenizer.convert_tokens_to_ids
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 4096,
            "initializer_range": 0.3,
            "use_sliding_window": True,
            "sliding_window": 9,
            "max_window_layers": 0,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention", "full_attention"],
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 1, 2]},
            "bos_token_id": None,
            "eos_token_id": token("<|im_end|>"),
            "tie_word_embeddings": tied,
        },
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_heads": 2,
            "out_hidden_size": 32,
            "window_size": 56,
            "fullatt_block_indexes": [1],
            "tokens_per_second": 2,
            "initializer_range": 0.3,
        },
        image_token_id=token("<|image_pad|>"),
        video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"),
        vision_end_token_id=token("<|vision_end|>"),
        tie_word_embeddings=tied,
    )
    torch.manual_seed(3)
    model = Qwen2_5_VLForConditionalGeneration(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):  # zero at birth, which would hide a forgotten bias
                parameter.normal_(std=0.3)
    model.generation_config.eos_token_id = [token("<|im_end|>"), token("<|endoftext|>")]
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(
        json.dumps({"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.25, 0.3]})
    )
    return str(folder)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory) -> str:
    return build_checkpoint(tmp_path_factory.mktemp("tiny"), tied=False)


@pytest.fixture(scope="session")
def tied_checkpoint(tmp_path_factory) -> str:
    return build_checkpoint(tmp_path_factory.mktemp("tied"), tied=True)


@pytest.fixture(scope="session")
def make(checkpoint):
    """make(text_offset="max_id", ...) -> the adapter with changed keys; equal wishes share one model."""

    @lru_cache
    def build(**changes) -> Qwen25VL:
        return Qwen25VL(**{"checkpoint": checkpoint, **ADAPTER, **changes})

    return build


@pytest.fixture(scope="session")
def stock(checkpoint):
    """stock("sdpa") -> the untouched model."""

    @lru_cache
    def load(attention: str):
        return Qwen2_5_VLForConditionalGeneration.from_pretrained(checkpoint, attn_implementation=attention).eval()

    return load


@pytest.fixture(scope="session")
def film():
    """film(ticks, seed, step) -> Frames of random pixels, `step` seconds per tick."""

    def make_frames(ticks: int, seed: int = 0, step: float = 1.0) -> Frames:
        generator = torch.Generator().manual_seed(seed)
        pixels = torch.randint(0, 256, (ticks, 2, 3, HEIGHT, WIDTH), generator=generator, dtype=torch.uint8)
        return Frames(pixels, torch.arange(ticks, dtype=torch.float64) * step)

    return make_frames


@pytest.fixture(scope="session")
def encoded():
    """encoded(backbone, frames) -> all its Tokens, with timeline indices 0, 1, ..."""

    def encode(backbone: Qwen25VL, frames: Frames) -> Tokens:
        return backbone.encode(frames, backbone.layout(torch.arange(len(frames.pixels)), HEIGHT, WIDTH))

    return encode


@pytest.fixture(scope="session")
def kept():
    """kept(tokens) -> a Selection of all of them."""
    return lambda tokens: Selection(tokens, torch.zeros(len(tokens), dtype=torch.long), len(tokens))


@pytest.fixture(scope="session")
def questions() -> list[Question]:
    """Multiple choice and open-ended, of different lengths; two of equal length."""
    asked = [
        ("what color is the star?", ("red", "blue", "green")),
        ("which shape is red?", ("star", "ring")),
        ("what happens first, and what happens after that?", ()),
        ("what color is the door?", ("red", "blue", "green")),
    ]
    made = []
    for i, (bare, options) in enumerate(asked):
        lines = [bare, *(f"{'ABC'[j]}. {text}" for j, text in enumerate(options))]
        made.append(Question(str(i), "\n".join(lines), bare, options))
    return made
