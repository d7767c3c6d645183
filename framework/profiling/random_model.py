"""Qwen2.5-VL models of any size with random weights and the lab's tokenizer, loaded through the adapter like any other.

A checkpoint is written into a folder and read from there, so that what is measured is what users run.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from framework.backbones.beside import quiet
from framework.backbones.loading import DTYPES
from framework.lab.model import save_checkpoint
from framework.lab.tokenizer import build_tokenizer

FULL_EVERY = 8  # blocks of the tower: the others attend within windows
CELL = 28  # pixels of a token's side


@dataclass(frozen=True)
class Sizes:
    """Holds the sizes of a Qwen2.5-VL. Raises ValueError, naming the key, for those that fit no model."""

    layers: int  # of the language model
    width: int
    heads: int
    key_heads: int
    inner: int  # width of the feed-forward layers
    tower_layers: int
    tower_width: int
    tower_heads: int
    tower_inner: int
    vocabulary: int  # at least: the lab's tokenizer has some hundred words

    def __post_init__(self) -> None:
        for key, value in asdict(self).items():
            if value < 1:
                raise ValueError(f"{key}: got {value}, expected at least 1")
        for key, size, parts in (
            ("width", self.width, 16 * self.heads),  # three axes of rotary ids share half of a head, by eighths
            ("tower_width", self.tower_width, 4 * self.tower_heads),
            ("heads", self.heads, self.key_heads),
        ):
            if size % parts:
                raise ValueError(f"{key}: got {size}, expected a multiple of {parts}")

    def config(self) -> Qwen2_5_VLConfig:
        """Builds the architecture. The ids of special tokens are those of the lab's tokenizer."""
        tokenizer = build_tokenizer()
        token = tokenizer.convert_tokens_to_ids
        half = self.width // self.heads // 2
        return Qwen2_5_VLConfig(
            text_config={
                "vocab_size": max(self.vocabulary, len(tokenizer)),
                "hidden_size": self.width,
                "intermediate_size": self.inner,
                "num_hidden_layers": self.layers,
                "num_attention_heads": self.heads,
                "num_key_value_heads": self.key_heads,
                "max_position_embeddings": 2**17,
                "rope_parameters": {
                    "rope_type": "default",
                    "rope_theta": 1e6,
                    "mrope_section": [half - 2 * (3 * half // 8), 3 * half // 8, 3 * half // 8],
                },
                "bos_token_id": None,
                "eos_token_id": token("<|im_end|>"),
                "pad_token_id": None,
                "tie_word_embeddings": False,
            },
            vision_config={
                "depth": self.tower_layers,
                "hidden_size": self.tower_width,
                "intermediate_size": self.tower_inner,
                "num_heads": self.tower_heads,
                "out_hidden_size": self.width,
                "fullatt_block_indexes": [*range(FULL_EVERY - 1, self.tower_layers, FULL_EVERY)],
                "tokens_per_second": 2,
            },
            image_token_id=token("<|image_pad|>"),
            video_token_id=token("<|video_pad|>"),
            vision_start_token_id=token("<|vision_start|>"),
            vision_end_token_id=token("<|vision_end|>"),
            tie_word_embeddings=False,
        )

    def parameters(self) -> int:
        """Counts the weights of such a model. None is allocated."""
        with torch.device("meta"):
            model = Qwen2_5_VLForConditionalGeneration(self.config())
        return sum(weight.numel() for weight in model.parameters())


SEVEN_B = Sizes(28, 3584, 28, 4, 18944, 32, 1280, 16, 3420, 152064)  # Qwen2.5-VL-7B's


def write(sizes: Sizes, folder: Path, device: str, dtype: str, seed: int) -> Path:
    """Writes a checkpoint with random weights into `folder`, and returns it. The same seed gives the same weights."""
    before = torch.get_default_dtype()
    with torch.random.fork_rng(), torch.device(device):
        torch.manual_seed(seed)
        torch.set_default_dtype(DTYPES[dtype])
        try:
            model = Qwen2_5_VLForConditionalGeneration(sizes.config())
        finally:
            torch.set_default_dtype(before)
    with quiet():
        return save_checkpoint(model, build_tokenizer(), folder)
