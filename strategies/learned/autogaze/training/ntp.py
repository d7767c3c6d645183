"""The gaze learns searched sequences: the next pick, and the loss that each pick leaves.

It knows the gaze, labels and losses; it knows nothing of configuration files, nor of how labels were made. Source:
AutoGaze (arXiv 2603.12254), stage 1. What differs is in losses.py, and that clips are turned and mirrored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import lightning
import numpy as np
import torch
from torch import Tensor, nn

from framework.core.errors import UsageError
from framework.training.schedule import Schedule, optimizer
from strategies.learned.autogaze.gaze.calibration import SPACES, LossSpace
from strategies.learned.autogaze.gaze.forcing import teacher_forced
from strategies.learned.autogaze.gaze.model import Gaze
from strategies.learned.autogaze.gaze.picks import Picks
from strategies.learned.autogaze.gaze.pixels import prepare
from strategies.learned.autogaze.gaze.vocabulary import Vocabulary
from strategies.learned.autogaze.training.augmentation import COUNTS, Symmetry, id_table, move
from strategies.learned.autogaze.training.clips import Clips
from strategies.learned.autogaze.training.detail_target import Detail
from strategies.learned.autogaze.training.encoded_clips import Watched
from strategies.learned.autogaze.training.label_files import Label, key_of, targets
from strategies.learned.autogaze.training.losses import head_loss, pick_loss


@dataclass(frozen=True)
class NtpSettings:
    """Says how searched sequences are learned."""

    batch: int  # clips a step
    symmetry: Symmetry  # clips turned and mirrored: none, mirror or square (all eight ways)
    loss_space: LossSpace  # what the loss heads learn: plain, or the logarithm
    loss_weight: float  # of the loss heads beside the picks
    detail_weight: float  # of what the stem is told beside the picks

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise ValueError(f"recipe.training.batch must be at least 1, got {self.batch}")
        if self.symmetry not in COUNTS or self.loss_space not in SPACES:
            raise ValueError(
                f"recipe.training: symmetry must be one of {', '.join(COUNTS)} and loss_space one of "
                f"{', '.join(SPACES)}; got {self.symmetry} and {self.loss_space}"
            )


class NtpBatch(NamedTuple):
    """Holds clips with their labels; losses are NaN where unknown.

    Clips are u8 [B, T, S, S, 3]; ids i64, valid bool and losses f32 are [B, T, n]; losses before are f32 [B, T].
    """

    pixels: Tensor
    ids: Tensor
    valid: Tensor
    losses: Tensor
    before: Tensor


class LabelledClips:
    """Deals batches of labelled clips: every clip once an epoch, in another order and position each time."""

    def __init__(self, pairs: Sequence[tuple[Tensor, Label]], vocabulary: Vocabulary, settings: NtpSettings, seed: int):
        self.pixels, self.labels = zip(*pairs, strict=True)
        self.vocabulary, self.settings, self.seed = vocabulary, settings, seed
        self.table = id_table(vocabulary)

    def __call__(self, generator: np.random.Generator, step: int) -> NtpBatch:
        """Returns the batch of a step."""
        size, positions = self.settings.batch, COUNTS[self.settings.symmetry]
        spots = [divmod(place, len(self.labels)) for place in range(step * size, (step + 1) * size)]
        chosen = [int(_order(self.seed, epoch, len(self.labels))[nth]) for epoch, nth in spots]
        ways = generator.integers(positions, size=size)
        made = targets([self.labels[number] for number in chosen], self.vocabulary.eos)
        pixels = [
            move(self.pixels[number].movedim(-1, -3), way).movedim(-3, -1)
            for number, way in zip(chosen, ways.tolist(), strict=True)
        ]
        ids = torch.stack([self.table[way][row] for way, row in zip(ways.tolist(), made.ids, strict=True)])
        return NtpBatch(torch.stack(pixels), ids, made.valid, made.losses, made.before)


def pair(clips: Clips, labels: dict[str, Label]) -> list[tuple[Tensor, Label]]:
    """Pairs the clips that have a label, u8 [T, S, S, 3], with it. Raises UsageError where none has."""
    pairs = []
    for index in range(clips.count):
        label = labels.get(key_of(clips.name(index)))
        if label is not None:
            pairs.append((clips.clip(index), label))
    if not pairs:
        raise UsageError(
            f"recipe.labels: none of the {len(labels)} labelled videos (such as {next(iter(labels))}) is among the "
            f"{clips.count} clips (such as {clips.name(0)}); recipe.clips must be those that the labels were made for"
        )
    return pairs


class NtpModule(lightning.LightningModule):
    """Trains `gaze` on searched sequences."""

    def __init__(self, gaze: Gaze, settings: NtpSettings, schedule: Schedule) -> None:
        super().__init__()
        self.gaze, self.settings, self.schedule = gaze, settings, schedule
        self.detail = Detail(gaze)

    def training_step(self, batch: NtpBatch, index: int) -> Tensor:
        """Returns the loss of a batch: the picks', plus the weighted losses of loss heads and detail."""
        pixels = prepare(batch.pixels, self.gaze.config.side)
        seen: Any = Watched(self.gaze, pixels, 1)
        forced = teacher_forced(seen, pixels, Picks(batch.ids, batch.valid))
        predicted = torch.cat([forced.loss_predictions, forced.loss_before[..., None]], 2)
        picks = pick_loss(forced.log_probabilities, batch.valid)
        heads = head_loss(predicted, torch.cat([batch.losses, batch.before[..., None]], 2), self.settings.loss_space)
        detail = self.detail.loss(self.gaze, seen.tokens, pixels)
        loss = picks + self.settings.loss_weight * heads + self.settings.detail_weight * detail
        parts = {"loss": loss, "picks": picks, "heads": heads, "detail": detail}
        self.log_dict({f"train/{k}": v.detach() for k, v in parts.items()}, batch_size=len(batch.ids))
        return loss

    def configure_optimizers(self) -> dict[str, Any]:
        """Returns AdamW for the gaze and the detail head."""
        return optimizer(nn.ModuleList([self.gaze, self.detail]), self.schedule)


@lru_cache(2)  # a batch may reach into the next epoch
def _order(seed: int, epoch: int, count: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch]).permutation(count)
