"""First phase: the vision tower learns to turn each visual token into the sum of the word rows of its object.

Without this phase the model stays at chance for long.
"""

from __future__ import annotations

from typing import Any

import lightning
import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedTokenizerFast, Qwen2_5_VLForConditionalGeneration

from framework.lab.model import object_words
from framework.lab.training.batches import VisionBatch
from framework.lab.training.forward import encode, oracle_tokens
from framework.lab.world import COLOURS, SHAPES
from framework.training.schedule import Schedule, optimizer

SHARPNESS = 8.0  # of the classification by similarity with word rows


class LabVision(lightning.LightningModule):
    """Trains the vision tower alone (`model.model.visual`)."""

    def __init__(
        self, model: Qwen2_5_VLForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, schedule: Schedule
    ) -> None:
        super().__init__()
        self.model, self.schedule = model, schedule
        self.words = torch.tensor(tokenizer.convert_tokens_to_ids(list(object_words())))

    def training_step(self, batch: VisionBatch, index: int) -> torch.Tensor:
        """Computes the loss: squared distance to the sum of word rows, and cross-entropy of shape, colour and size."""
        rows = self.model.get_input_embeddings().weight[self.words].detach()
        tokens = encode(self.model, batch.pixels)
        objects, sure = batch.objects.flatten(1, 2), batch.steady.flatten(1, 2)
        distance = (tokens - oracle_tokens(rows, objects)).square().sum(-1)[sure].mean()
        there = sure & (objects[..., 0] >= 0)
        similar = SHARPNESS * tokens[there] @ rows.T
        parts = similar.split([len(SHAPES), len(COLOURS), len(rows) - len(SHAPES) - len(COLOURS)], dim=-1)
        truths = objects[there].unbind(-1)
        loss = distance + sum(cross_entropy(part, truth) for part, truth in zip(parts, truths, strict=True))
        right = torch.stack([part.argmax(-1) == truth for part, truth in zip(parts, truths, strict=True)])
        self.log_dict(
            {
                "vision/loss": loss.detach(),
                "vision/distance": distance.detach(),
                "vision/shape": right[0].float().mean(),
                "vision/colour": right[1].float().mean(),
                "vision/size": right[2].float().mean(),
            },
            prog_bar=True,
            batch_size=len(tokens),
        )
        return loss

    def configure_optimizers(self) -> dict[str, Any]:
        """Returns AdamW, with its schedule, over the vision tower."""
        return optimizer(self.model.model.visual, self.schedule)

    def transfer_batch_to_device(self, batch: VisionBatch, device: torch.device, index: int) -> VisionBatch:
        """Moves the three tensors of a batch to a device."""
        return VisionBatch(batch.pixels.to(device), batch.objects.to(device), batch.steady.to(device))
