"""Tiny checkpoints of the Qwen families, as the Hub lays them out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import (
    Qwen3_5Config,
    Qwen3_5ForConditionalGeneration,
    Qwen3_5MoeConfig,
    Qwen3_5MoeForConditionalGeneration,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLMoeConfig,
    Qwen3VLMoeForConditionalGeneration,
)

from framework.backbones.qwen2_5_vl import Qwen25VL
from framework.backbones.qwen3_vl import Qwen3VL
from framework.core.types import Frames, Question
from tests.fixtures import tiny_qwen
from tests.framework.backbones.conformance.family import Family, Stock, patches, roughen

ADAPTER = {
    "dtype": "float32",
    "device": "cpu",
    "device_map": None,
    "attention": "sdpa",
    "min_pixels": 1024,
    "max_pixels": 65536,
    "wrapper": "frames",
    "answer_positions": "original",
    "probe_tokens": 16,
    "questions_per_pass": 16,
    "template": {},
}
TEMPLATE = """\
{% for message in messages %}<|im_start|>{{ message['role'] }}
{% for part in message['content'] %}{% if part['type'] == 'video' %}<|vision_start|><|video_pad|><|vision_end|>\
{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
"""
INSTRUCT = TEMPLATE + "{% endif %}"
THINKING = TEMPLATE + (
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n"
    "{% else %}<think>\n{% endif %}{% endif %}"
)
TEXT = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
    "initializer_range": 0.2,  # at 0.3 two orders of the same sums lie ten times farther apart
}
VISION = {
    "depth": 4,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_heads": 2,
    "out_hidden_size": 32,
    "num_position_embeddings": 64,
    "initializer_range": 0.2,
}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
QWEN3 = {
    **TEXT,
    "num_hidden_layers": 4,
    "head_dim": 16,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [4, 2, 2]},
}
QWEN35 = {
    **TEXT,
    "initializer_range": 0.15,  # at 0.3 the stock model makes 1e-4 of a change of 2e-7 of its pixels
    "num_hidden_layers": 8,
    "head_dim": 32,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "rope_parameters": {
        "rope_type": "default",
        "rope_theta": 1e4,
        "mrope_section": [2, 1, 1],
        "partial_rotary_factor": 0.25,
    },
}
DEEP = {**VISION, "deepstack_visual_indexes": [0, 1, 2]}
KINDS: dict[str, tuple[Any, Any, dict[str, Any], dict[str, Any]]] = {
    "qwen3_vl": (Qwen3VLConfig, Qwen3VLForConditionalGeneration, QWEN3, DEEP),
    "qwen3_vl_moe": (Qwen3VLMoeConfig, Qwen3VLMoeForConditionalGeneration, {**QWEN3, **EXPERTS}, DEEP),
    "qwen3_5": (Qwen3_5Config, Qwen3_5ForConditionalGeneration, QWEN35, VISION),
    "qwen3_5_moe": (
        Qwen3_5MoeConfig,
        Qwen3_5MoeForConditionalGeneration,
        {**QWEN35, **EXPERTS, "shared_expert_intermediate_size": 16},
        VISION,
    ),
}


class Qwen(Family):
    """What Qwen's stock models share."""

    patch = 16
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)

    def grid(self, frames: Frames) -> Tensor:
        return torch.tensor([[len(frames.pixels), self.height // self.patch, self.width // self.patch]])

    def pixels(self, frames: Frames) -> dict[str, Tensor]:
        return {
            "pixel_values_videos": patches(frames, self.patch, 2, self.mean, self.std),
            "video_grid_thw": self.grid(frames),
        }

    @torch.no_grad()
    def features(self, model: Any, frames: Frames) -> tuple[Tensor, dict[str, Tensor]]:
        pixels = self.pixels(frames)
        found = model.model.get_video_features(pixels["pixel_values_videos"], pixels["video_grid_thw"])
        inner = [torch.cat(list(level)) for level in getattr(found, "deepstack_features", None) or ()]
        return torch.cat(list(found.pooler_output)), {"deepstack": torch.stack(inner, 1)} if inner else {}

    def positions(self, model: Any, asked: Stock) -> Tensor:
        known = {name: asked.inputs[name] for name in asked.inputs if not name.startswith("pixel")}
        found: Tensor = model.model.get_rope_index(**known)[0]
        model.model.rope_deltas = None
        return found[:, 0]


class Stamped(Qwen):
    """Qwen3-VL and Qwen3.5, with or without experts: a time and brackets around each tick."""

    def save(self, folder: Path) -> None:
        config_class, model_class, text, vision = KINDS[self.name.partition(" ")[0]]
        tokenizer = tiny_qwen.build_tokenizer()
        token = tokenizer.convert_tokens_to_ids
        hybrid = self.name.startswith("qwen3_5")
        config = config_class(
            text_config={**text, "vocab_size": len(tokenizer), "eos_token_id": token("<|im_end|>")},
            vision_config=vision,
            image_token_id=token("<|image_pad|>"),
            video_token_id=token("<|video_pad|>"),
            vision_start_token_id=token("<|vision_start|>"),
            vision_end_token_id=token("<|vision_end|>"),
        )
        torch.manual_seed(3)
        model = model_class(config)
        roughen(model)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        (folder / "chat_template.jinja").unlink()
        own = json.loads((folder / "tokenizer_config.json").read_text())
        own["chat_template"] = "{{ messages[0]['content'] + '' }}"  # knows text alone, as many have it
        (folder / "tokenizer_config.json").write_text(json.dumps(own))
        said = {"chat_template": THINKING if hybrid else INSTRUCT}
        (folder / "chat_template.json").write_text(json.dumps(said))
        prepared = {"image_mean": self.mean, "image_std": self.std, "patch_size": self.patch}
        (folder / "preprocessor_config.json").write_text(json.dumps(prepared))

    def load(self, checkpoint: str, **changes: Any) -> Qwen3VL:
        template = {"enable_thinking": False} if self.name.startswith("qwen3_5") else {}
        return Qwen3VL(**{"checkpoint": checkpoint, **ADAPTER, "template": template, **changes})

    def pieces(self, frames: Frames, question: Question) -> tuple[str, list[str], str]:
        outer = self.changes.get("wrapper") == "outer"
        video = "<|video_pad|>" if outer else "<|vision_start|><|video_pad|><|vision_end|>"
        head, tail = self.rendered(question, video, **self.adapter.chat.template)
        inside = "<|vision_start|>" + "<|video_pad|>" * self.cells() + "<|vision_end|>"
        return head, [f"<{second:.1f} seconds>{inside}" for second in frames.seconds.tolist()], tail

    def stays(self, asked: Stock, keep: Tensor) -> Tensor:
        """With `empty_ticks: keep` all text stays."""
        if self.changes.get("empty_ticks") != "keep":
            return super().stays(asked, keep)
        stay = ~asked.visual
        stay[asked.visual] = keep.flatten()
        return stay

    def language(self, visual: Tensor, extra: dict[str, Tensor]) -> dict[str, Any]:
        if "deepstack" not in extra:
            return {}
        return {"visual_pos_masks": visual[None], "deepstack_visual_embeds": list(extra["deepstack"].unbind(1))}


class Qwen25(Qwen):
    """Qwen2.5-VL: ticks follow each other without text; ids have an axis of time."""

    patch = 14
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)

    def save(self, folder: Path) -> None:
        tiny_qwen.build_checkpoint(folder, tied=False)

    def load(self, checkpoint: str, **changes: Any) -> Qwen25VL:
        return Qwen25VL(**{"checkpoint": checkpoint, **tiny_qwen.ADAPTER, **changes})

    def pieces(self, frames: Frames, question: Question) -> tuple[str, list[str], str]:
        head, tail = self.rendered(question, "<|video_pad|>")
        return head, ["<|video_pad|>" * self.cells()] * len(frames.pixels), tail

    def marks(self, visual: Tensor) -> dict[str, Tensor]:
        return {**super().marks(visual), "second_per_grid_ts": torch.tensor([1.0])}


FAMILIES: list[Family] = [
    Qwen25("qwen2_5_vl", 2e-5, {}, 56, 84, first=0.0, step=1.0),
    Stamped("qwen3_vl", 2e-5),
    Stamped("qwen3_vl outer", 2e-5, {"wrapper": "outer"}),
    Stamped("qwen3_vl_moe", 2e-5),
    Stamped("qwen3_5", 2e-4),
    Stamped("qwen3_5_moe", 2e-4),
]
