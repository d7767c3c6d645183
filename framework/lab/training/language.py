"""Second and third phase: the language model learns to answer, on oracle tokens first, then together with the tower.

Auxiliary targets remove the plateau at chance: the answer word at rows of the question in a middle layer; at each
option its letter in the first layer, and in a late one whether it fits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import lightning
import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedTokenizerFast, Qwen2_5_VLForConditionalGeneration

from framework.lab.model import object_words
from framework.lab.queries import ZONES
from framework.lab.tokenizer import LETTERS
from framework.lab.training.batches import LanguageBatch
from framework.lab.training.clock import third_loss
from framework.lab.training.forward import at, encode, oracle_tokens, read
from framework.lab.training.questions import END
from framework.training.schedule import Schedule, optimizer


@dataclass(frozen=True)
class LossSettings:
    """Holds the weights of the auxiliary losses, and says where they are read."""

    word_weight: float
    word_layer: int  # the layer whose output must know the answer word
    letter_weight: float
    match_weight: float
    match_layer: int  # the layer whose output must know, at an option, whether it fits
    end_weight: float  # the turn ends after the answer
    oracle_noise: float  # standard deviation added to oracle tokens
    third_weight: float = 0.0  # where the length of the film is told
    third_layer: int = 3  # the layer whose output must know, at a visual token, in which third of the film it is


class LabLanguage(lightning.LightningModule):
    """Trains the whole model. Where no pixels are read, the tower and the rows of object words are left as they are."""

    def __init__(
        self,
        model: Qwen2_5_VLForConditionalGeneration,
        tokenizer: PreTrainedTokenizerFast,
        schedule: Schedule,
        settings: LossSettings,
    ) -> None:
        super().__init__()
        self.model, self.schedule, self.settings = model, schedule, settings
        token = tokenizer.convert_tokens_to_ids
        self.words = torch.tensor(token(list(object_words())))
        self.letters = torch.tensor(token(list(LETTERS)))
        self.yes_no = torch.tensor(token(["yes", "no"]))
        self.end = int(token(END))
        self.zones = torch.tensor(token(list(ZONES)))

    def visual_tokens(self, batch: LanguageBatch) -> torch.Tensor:
        """Returns the visual tokens that a batch shows: f32 [B, K, D]."""
        if batch.features is not None:
            return batch.features
        if batch.pixels is None:
            return self._oracle(batch.objects)
        tokens = encode(self.model, batch.pixels)
        return tokens.gather(1, batch.kept[..., None].expand(-1, -1, tokens.shape[-1]))

    def _oracle(self, objects: torch.Tensor) -> torch.Tensor:
        tokens = oracle_tokens(self.model.get_input_embeddings().weight[self.words].detach(), objects)
        step = torch.Generator(tokens.device).manual_seed(self.global_step)  # so that a resumed run repeats it
        return tokens + self.settings.oracle_noise * torch.randn(tokens.shape, generator=step, device=tokens.device)

    def answer_logits(self, batch: LanguageBatch) -> torch.Tensor:
        """Computes the logits at the answer row of every question: f32 [Q, V]."""
        final, _ = read(self.model, batch.packed, self.visual_tokens(batch))
        return self.model.lm_head(at(final, batch.packed.answer_rows))

    def training_step(self, batch: LanguageBatch, index: int) -> torch.Tensor:
        """Computes the loss: soft cross-entropy of the answer plus the auxiliary losses."""
        losses, logits = self._losses(batch)
        weights = self._weights()
        total = torch.stack([weights[name] * value for name, value in losses.items()]).sum()
        self.log_dict({f"train/{name}": value.detach() for name, value in losses.items()}, batch_size=1)
        decided = torch.tensor([q.right is not None and q.split != "lookup" and q.options > 0 for q in batch.questions])
        if decided.any():
            hit = logits.detach().argmax(-1) == batch.packed.targets.argmax(-1)
            self.log("train/accuracy", hit[decided].float().mean(), prog_bar=True, batch_size=1)
        return total

    def _weights(self) -> Mapping[str, float]:
        settings = self.settings
        return {
            "answer": 1.0,
            "word": settings.word_weight,
            "letter": settings.letter_weight,
            "match": settings.match_weight,
            "end": settings.end_weight,
            "third": settings.third_weight,
            "clock": settings.third_weight,
        }

    def _losses(self, batch: LanguageBatch) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        packed, network = batch.packed, self.model
        final, hidden = read(network, packed, self.visual_tokens(batch))
        logits = network.lm_head(at(final, packed.answer_rows))
        ends = network.lm_head(at(final, packed.end_rows))
        norm, rows = network.model.language_model.norm, network.get_input_embeddings().weight
        # hidden[0] is the input, so layer l's output is hidden[l + 1]; both are read through the final norm
        middle = network.lm_head(norm(at(hidden[self.settings.word_layer + 1], packed.word_rows)))
        first = norm(at(hidden[1], packed.letter_rows)) @ rows[self.letters].T
        late = norm(at(hidden[self.settings.match_layer + 1], packed.letter_rows)) @ rows[self.yes_no].T
        losses = {
            "answer": -(packed.targets * logits.log_softmax(-1)).sum(-1).mean(),
            "word": cross_entropy(middle, packed.word_ids),
            "letter": cross_entropy(first, packed.letter_indices),
            "match": cross_entropy(late, (~packed.fits).long()),
            "end": cross_entropy(ends, torch.full((len(ends),), self.end, device=ends.device)),
        }
        if self.settings.third_weight:
            losses["third"] = third_loss(network, packed, hidden[self.settings.third_layer + 1], self.zones)
            if batch.clock is not None:
                _, known = read(network, batch.clock.packed, self._oracle(batch.clock.objects))
                place = known[self.settings.third_layer + 1]
                losses["clock"] = third_loss(network, batch.clock.packed, place, self.zones)
        return losses, logits

    def on_before_optimizer_step(self, adam: torch.optim.Optimizer) -> None:
        """Keeps the rows of object words as they are where no pixels are read.

        The tower was taught to aim at these rows.
        """
        gradient = self.model.get_input_embeddings().weight.grad
        if gradient is not None and not self.trains_vision:
            gradient[self.words] = 0

    @property
    def trains_vision(self) -> bool:
        """Says whether pixels are read in this phase."""
        return next(self.model.model.visual.parameters()).requires_grad

    def configure_optimizers(self) -> dict[str, Any]:
        """Returns AdamW, with its schedule, over everything that is not frozen."""
        return optimizer(self.model, self.schedule)

    def transfer_batch_to_device(self, batch: LanguageBatch, device: torch.device, index: int) -> LanguageBatch:
        """Moves every tensor of a batch to a device."""
        return replace(
            batch,
            packed=batch.packed.to(device),
            pixels=None if batch.pixels is None else batch.pixels.to(device),
            objects=batch.objects.to(device),
            kept=batch.kept.to(device),
            features=None if batch.features is None else batch.features.to(device),
            clock=None if batch.clock is None else batch.clock.to(device),
        )
