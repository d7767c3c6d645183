"""A published QTSplus checkpoint's own language model and vision tower, in place of the base model's.

The selector's width is compared before a weight is read. What the checkpoint lacks stays the base model's. Source: the
state dict of QTSplus' published code (arXiv 2511.11910).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedConfig

from framework.backbones.overlay import LayOver, WeightOverlay
from framework.core.weight_files import Stored, refuse_non_finite
from strategies.learned.qtsplus import official, source

KINDS = {  # published prefix -> ours
    "model.embed_tokens.": "model.language_model.embed_tokens.",
    "model.layers.": "model.language_model.layers.",
    "model.norm.": "model.language_model.norm.",
    "lm_head.": "lm_head.",
    "model.vision_tower.": "model.visual.",
}
BASE = "qwen2_5_vl"  # the model type that published checkpoints were made from
log = logging.getLogger(__name__)


class Overlay:
    """Holds tensors for the base model, by their names in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stored: Stored = official.open_weights(folder)
        self.names = {_renamed(name): name for name in self.stored if not name.startswith(official.PREFIX)}

    @torch.no_grad()
    def lay_over(self, model: Any) -> None:
        """Copies them into `model`. Raises ValueError for names and shapes that it does not have, and for NaN."""
        own = dict(model.named_parameters(remove_duplicate=False))
        if unknown := sorted(self.names[name] for name in self.names.keys() - own.keys()):
            raise ValueError(
                f"{source.KEY}: {self.folder} holds {len(unknown)} tensors that the base model does not have, e.g. "
                f"{unknown[0]}"
            )
        if any(own[name].is_meta for name in self.names):
            raise ValueError(
                "backbone.adapter.device_map: with a published QTSplus checkpoint all weights must be in memory"
            )
        changed = {"language model": [0, 0], "vision tower": [0, 0]}
        for name, published in self.names.items():
            parameter, new = own[name], self.stored[published]
            if parameter.shape != new.shape:
                raise ValueError(
                    f"{source.KEY}: {published} is {list(new.shape)} in {self.folder}, the base model's is "
                    f"{list(parameter.shape)}: backbone must be the model that it was made from"
                )
            refuse_non_finite([(published, new)], f"{source.KEY}: {self.folder}")
            new = new.to(parameter)
            counts = changed["vision tower" if name.startswith("model.visual.") else "language model"]
            counts[0] += 1
            counts[1] += not torch.equal(parameter, new)
            parameter.copy_(new)
        parts = "; ".join(f"{kind}: {total} tensors, {differ} differ" for kind, (total, differ) in changed.items())
        left = sum(name not in self.names for name, _ in model.named_parameters())  # tied weights count once
        log.info("%s replaces weights of the base model (%s; %d not in it)", self.folder, parts, left)


@dataclass(frozen=True)
class PublishedWeights(WeightOverlay):
    """Brings the language model and the vision tower of a published checkpoint; of any other checkpoint nothing."""

    checkpoint: str | None

    def prepare(self, base: str, local: bool) -> LayOver | None:
        """Returns what lays them over the model at `base`.

        Raises ValueError where the selector has another width, or where `base` is of another family.
        """
        about = None if self.checkpoint is None else source.describe(self.checkpoint)
        if self.checkpoint is None or about is None:
            return None
        config = PreTrainedConfig.get_config_dict(base, local_files_only=local)[0]
        width = config.get("text_config", config)["hidden_size"]
        source.check_width(self.checkpoint, about, width, f"those of {base}")
        folder = source.published_folder(self.checkpoint)
        if folder is None:
            return None
        overlay, found = Overlay(folder), config.get("model_type")
        if overlay.names and found != BASE:
            raise ValueError(
                f"{source.KEY}: {folder} holds a language model and a tower for {BASE!r}, {base} is of type {found!r}: "
                "choose backbone=qwen2_5_vl_3b or qwen2_5_vl_7b, or set overlay=none"
            )
        return overlay.lay_over


def _renamed(name: str) -> str:
    prefix = next((prefix for prefix in KINDS if name.startswith(prefix)), None)
    return name if prefix is None else KINDS[prefix] + name.removeprefix(prefix)
