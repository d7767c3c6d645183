"""Tiny checkpoints of InternVL and LLaVA-OneVision, as the Hub lays them out, with tokenizers of two kinds."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from transformers import (
    InternVLConfig,
    InternVLForConditionalGeneration,
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    PreTrainedTokenizerFast,
)
from transformers.modeling_outputs import BaseModelOutputWithPooling

from framework.backbones.internvl import InternVL
from framework.backbones.llava_onevision import LlavaOneVision
from framework.core.types import Frames, Question
from tests.fixtures import tiny_qwen
from tests.framework.backbones.conformance.family import Family, Stock, roughen

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
ADAPTER = {
    "overlay": None,
    "dtype": "float32",
    "device": "cpu",
    "device_map": None,
    "tensor_parallel": False,
    "attention": "sdpa",
    "system": None,
    "template": {},
    "probe_positions": "compact",
    "answer_positions": "original",
    "probe_tokens": 16,
    "questions_per_pass": 16,
    "total_pixels": None,
    "second_per_grid": None,
}
TURNS = """\
{% for message in messages %}<|im_start|>{{ message['role'] }}
{% for part in message['content'] %}{% if part['type'] == 'video' %}<video>
{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
SPECIAL = ["<|im_start|>", "<|im_end|>", "<img>", "</img>", "<IMG_CONTEXT>"]
CORPUS = [tiny_qwen.CORPUS, "Frame1: Frame2: user assistant", *(chr(code) for code in range(32, 127)), "\n"]
TEXT = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
    "initializer_range": 0.2,  # at 0.3 two orders of the same sums lie ten times farther apart
    "tie_word_embeddings": False,
}
VISION = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "patch_size": 14,
    "initializer_range": 0.2,
}


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """Returns a byte-level tokenizer as Qwen2's, which puts no space anywhere."""
    return tiny_qwen.build_tokenizer()


def spaced_tokenizer(scheme: str) -> PreTrainedTokenizerFast:
    """Returns a tokenizer as SentencePiece makes them.

    It puts a space before text: at the very beginning (`first`), or also after every special token (`always`).
    """
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=False)
    tokenizer.decoder = decoders.Metaspace(prepend_scheme=scheme)
    trainer = trainers.BpeTrainer(vocab_size=240, special_tokens=["<unk>", "</s>"], show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", eos_token="</s>", pad_token="</s>")


TOKENIZERS = {
    "bytes": byte_tokenizer,
    "first": lambda: spaced_tokenizer("first"),
    "always": lambda: spaced_tokenizer("always"),
}


@dataclass
class Framed(Family):
    """Families that read one frame per tick, with ids of one axis."""

    text: str = "qwen2"
    words: str = "bytes"  # of TOKENIZERS
    frames_per_tick: int = 1

    @property
    def fixed(self) -> dict[str, int]:
        """Returns the adapter's keys that can have one value alone."""
        return {"min_pixels": self.height * self.width, "max_pixels": self.height * self.width}

    def positions(self, model: Any, asked: Stock) -> Tensor:
        return torch.arange(asked.ids.shape[1])[None]

    def marks(self, visual: Tensor) -> dict[str, Tensor]:
        return {}

    def text_config(self, tokenizer: Any) -> dict[str, Any]:
        """Returns the language model's configuration; Qwen3's heads are wider than width / heads."""
        end = tokenizer.convert_tokens_to_ids("<|im_end|>")
        wide = {"head_dim": 16} if self.text == "qwen3" else {}
        pad = {"pad_token_id": None, "bos_token_id": None}
        return {**TEXT, **wide, **pad, "model_type": self.text, "vocab_size": len(tokenizer), "eos_token_id": end}

    def write(self, folder: Path, config_class: Any, model_class: Any, config: dict[str, Any], tokenizer: Any) -> None:
        """Saves a model of random weights with the files beside it."""
        torch.manual_seed(3)
        model = model_class(config_class(**config))
        roughen(model)
        model.generation_config.eos_token_id = config["text_config"]["eos_token_id"]
        model.save_pretrained(folder)
        tokenizer.chat_template = TURNS
        tokenizer.save_pretrained(folder)
        prepared = {"image_mean": MEAN, "image_std": STD, "size": {"height": self.height, "width": self.width}}
        (folder / "preprocessor_config.json").write_text(json.dumps(prepared))

    def normalised(self, frames: Frames) -> Tensor:
        """Returns f32 [T, 3, H, W]."""
        mean, std = (torch.tensor(each, dtype=torch.float64)[:, None, None] for each in (MEAN, STD))
        return ((frames.pixels[:, 0].double() / 255 - mean) / std).float()


class TinyInternVL(Framed):
    """InternVL, its frames in brackets with a number before them."""

    def save(self, folder: Path) -> None:
        tokenizer = TOKENIZERS[self.words]()
        tokenizer.add_tokens(SPECIAL, special_tokens=True)
        config = {
            "text_config": self.text_config(tokenizer),
            "vision_config": {
                **VISION,
                "image_size": 56,
                "attention_bias": True,
                "use_qk_norm": self.text == "qwen3",
                "norm_type": "rms_norm" if self.text == "qwen3" else "layer_norm",
                "use_mean_pooling": self.text != "llama",
            },
            "image_token_id": tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
            "image_seq_length": 4,
            "tie_word_embeddings": False,
        }
        self.write(folder, InternVLConfig, InternVLForConditionalGeneration, config, tokenizer)

    def load(self, checkpoint: str, **changes: Any) -> InternVL:
        own = {"frame_text": "Frame{n}: ", "between": "\n"}
        return InternVL(**{"checkpoint": checkpoint, **ADAPTER, **self.fixed, **own, **changes})

    def pieces(self, frames: Frames, question: Question) -> tuple[str, list[str], str]:
        head, tail = self.rendered(question, "<video>")
        inside = f"<img>{'<IMG_CONTEXT>' * 4}</img>"
        ticks = [f"{chr(10) if i else ''}Frame{i + 1}: {inside}" for i in range(len(frames.pixels))]
        return head, ticks, tail

    def placeholder(self) -> int:
        return int(self.adapter.model.config.image_token_id)

    def pixels(self, frames: Frames) -> dict[str, Tensor]:
        return {"pixel_values": self.normalised(frames)}

    @torch.no_grad()
    def features(self, model: Any, frames: Frames) -> tuple[Tensor, dict[str, Tensor]]:
        return model.model.get_image_features(self.normalised(frames), return_dict=True).pooler_output.flatten(0, 1), {}


class TinyLlava(Framed):
    """LLaVA-OneVision as the stock class has it: one newline after the video, which it counts as a visual token."""

    def save(self, folder: Path) -> None:
        tokenizer = TOKENIZERS[self.words]()
        tokenizer.add_tokens(["<image>", "<video>"], special_tokens=True)
        config = {
            "text_config": self.text_config(tokenizer),
            "vision_config": {
                **VISION,
                "model_type": "siglip_vision_model",
                "image_size": 48,
                "vision_use_head": False,
            },
            "image_token_index": tokenizer.convert_tokens_to_ids("<image>"),
            "video_token_index": tokenizer.convert_tokens_to_ids("<video>"),
            "tie_word_embeddings": False,
        }
        self.write(folder, LlavaOnevisionConfig, LlavaOnevisionForConditionalGeneration, config, tokenizer)

    def load(self, checkpoint: str, **changes: Any) -> LlavaOneVision:
        own = {"newline": "one", "time_text": ""}
        return LlavaOneVision(**{"checkpoint": checkpoint, **ADAPTER, **self.fixed, **own, **changes})

    def pieces(self, frames: Frames, question: Question) -> tuple[str, list[str], str]:
        head, tail = self.rendered(question, "<video>")
        return head, ["<video>" * 4] * len(frames.pixels), "<video>" + tail

    def asked(self, frames: Frames, question: Question) -> Stock:
        asked = super().asked(frames, question)
        return replace(asked, visual=asked.visual & ~self.newlines(asked))

    def newlines(self, asked: Stock) -> Tensor:
        """Returns where newlines stand, bool [S]."""
        return (asked.ids[0] == self.placeholder()) & (asked.tick < 0)

    def embedded(self, model: Any, asked: Stock) -> Tensor:
        found = super().embedded(model, asked).clone()
        found[self.newlines(asked)] = model.model.image_newline
        return found

    def pixels(self, frames: Frames) -> dict[str, Any]:
        return {"pixel_values_videos": self.normalised(frames)[None]}

    @torch.no_grad()
    def features(self, model: Any, frames: Frames) -> tuple[Tensor, dict[str, Tensor]]:
        pixels = self.normalised(frames)[None]
        return model.model.get_video_features(pixels, return_dict=True).pooler_output[0, :-1], {}


class TinyLlavaVideo(TinyLlava):
    """LLaVA-Video: a newline after each row. The stock class is handed features among which they were put by hand."""

    def pieces(self, frames: Frames, question: Question) -> tuple[str, list[str], str]:
        head, tail = self.rendered(question, "<video>")
        return head, ["<video>" * 6] * len(frames.pixels), tail

    def newlines(self, asked: Stock) -> Tensor:
        video = asked.ids[0] == self.placeholder()
        return video & ((video.cumsum(0) - 1) % 3 == 2)

    def stays(self, asked: Stock, keep: Tensor) -> Tensor:
        """A row without a token loses its newline."""
        stay = super().stays(asked, keep)
        stay[self.newlines(asked)] = keep.unflatten(1, (-1, 2)).any(2).flatten()
        return stay

    @torch.no_grad()
    def pixels(self, frames: Frames) -> dict[str, Any]:
        model = self.stock()
        rows = self.features(model, frames)[0].unflatten(0, (-1, 2))  # [T * 2, 2, D]
        woven = torch.cat([rows, model.model.image_newline.expand(len(rows), 1, -1)], dim=1)
        return {"mm_encoder_outputs": {"video": BaseModelOutputWithPooling(pooler_output=woven.flatten(0, 1)[None])}}


FAMILIES: list[Family] = [
    TinyInternVL("internvl qwen2", 2e-5, {}, 56, 56),
    TinyInternVL("internvl qwen3", 2e-5, {}, 56, 56, text="qwen3"),
    TinyInternVL("internvl llama", 2e-5, {}, 56, 56, text="llama"),
    TinyInternVL("internvl llama first", 2e-5, {}, 56, 56, text="llama", words="first"),
    TinyInternVL("internvl llama always", 2e-5, {}, 56, 56, text="llama", words="always"),
    TinyLlava("llava_onevision", 2e-5, {}, 48, 48),
    TinyLlavaVideo("llava_video", 2e-5, {"newline": "grid"}, 48, 48),
]
