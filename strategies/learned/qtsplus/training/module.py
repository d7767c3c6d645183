"""QTSplus as a Lightning module: stage 1 trains the selector alone, stage 2 the language model with it.

A gate learns through one of two things. `tokens`: it is multiplied into the kept tokens, as published; a language
model that has what it needs, or lacks it altogether, tells next to nothing that way. `path`: every shown token, kept or
dropped, is credited with its part of what seeing them all is worth, the integral of the loss's slope along ln w from
-depth to 0, where w is the weight of all shown tokens in attention (integrated gradients, arXiv 1703.01365). The loss
falls within a short stretch of that path, elsewhere for every sample, so the one place per sample and step is drawn
evenly over the fall and not over the path. The forward pass that counts still reads exactly the n kept tokens.

It knows a backbone's adapter, the selector and the losses; it knows nothing of where samples come from.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import lightning
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from framework.backbones.base import DecoderBackbone
from framework.training.lora import add_lora
from framework.training.schedule import Schedule, grouped_optimizer
from strategies.learned.qtsplus.selector import Chosen, Selector
from strategies.learned.qtsplus.training.batches import IGNORED, Batch
from strategies.learned.qtsplus.training.llm_pass import answer_logits
from strategies.learned.qtsplus.training.losses import Costs, CostSettings

Gate = Literal["straight_through", "gumbel", "hard"]
HALVINGS = 4  # to find a place on the path; the fall is wider than depth / 2^5
TINY = 1e-8
SEED_STEP = 1_000_003  # apart in seeds; one process never reaches the seeds of the next step's


@dataclass(frozen=True)
class SelectorTraining:
    """Says how a selector learns."""

    stage: int  # 1: selector only; 2: and the language model
    gate: Gate
    gate_on: Literal["tokens", "path"]  # what the gate's gradient comes through
    depth: float  # of the path, nats: at weight e^-depth a token should be as good as absent
    tau: float  # width of the soft mask, in units of ln r (gumbel: of r)
    extra: int  # dropped tokens that are credited too: the best of them; needs gate_on=path
    rho: Literal["learned", "drawn"] | float
    most: int | None  # n_max
    positions: Literal["kept", "sequential"]
    reencode_rate: float  # learning rate of the re-encoder, time included, as a share of the scorer's
    llm_rate: float  # and of the language model
    lora: dict[str, Any] | None  # rank, alpha, dropout: train these in place of the language model's own weights
    together: int  # samples that the language model reads at once
    checkpointing: bool  # recompute the language model's layers in the backward pass

    def __post_init__(self) -> None:
        choices = {
            "stage": (1, 2),
            "gate": ("straight_through", "gumbel", "hard"),
            "gate_on": ("tokens", "path"),
            "positions": ("kept", "sequential"),
        }
        for key, known in choices.items():
            if getattr(self, key) not in known:
                raise ValueError(
                    f"recipe.training.{key} must be one of {', '.join(map(str, known))}; got {getattr(self, key)!r}"
                )
        if self.rho not in ("learned", "drawn") and not (isinstance(self.rho, float) and 0 < self.rho <= 1):
            raise ValueError(f"recipe.training.rho must be learned, drawn or a number within (0, 1]; got {self.rho!r}")
        if self.most is not None and self.most < 1:
            raise ValueError(f"recipe.training.most must be at least 1, got {self.most}")
        if self.lora is not None and self.stage == 1:
            raise ValueError(
                "recipe.training.lora needs recipe.training.stage=2: stage 1 leaves the language model alone"
            )
        if self.together < 1:
            raise ValueError(f"recipe.training.together must be at least 1, got {self.together}")
        if self.tau <= 0:
            raise ValueError(f"recipe.training.tau must be above 0, got {self.tau}")
        if self.gate_on == "path" and self.gate != "straight_through":
            raise ValueError(
                f"recipe.training.gate_on=path needs recipe.training.gate=straight_through, got {self.gate}"
            )
        if self.extra and self.gate_on != "path":
            raise ValueError(f"recipe.training.extra needs recipe.training.gate_on=path, got extra={self.extra}")


class SelectorModule(lightning.LightningModule):
    """Trains `selector` on top of `backbone`; the vision tower never changes."""

    def __init__(
        self,
        selector: Selector,
        backbone: DecoderBackbone,
        training: SelectorTraining,
        costs: CostSettings,
        schedule: Schedule,
        seed: int,
    ) -> None:
        super().__init__()
        self.selector, self.costs = selector, Costs(costs)
        self.training_settings, self.schedule, self.seed = training, schedule, seed
        self.backbone = backbone  # a plain object: what is frozen is neither saved nor wrapped
        selector.budget.requires_grad_(training.rho == "learned")
        backbone.model.requires_grad_(False)
        self.language: torch.nn.Module | None = None
        if training.stage == 2:
            if backbone.model.dtype != torch.float32:
                raise ValueError(
                    f"stage=2 needs backbone.adapter.dtype=float32, got {backbone.model.dtype}: 16 bits lose small "
                    "steps. To compute in 16 bits on weights in 32, recipe.trainer.precision=bf16-mixed"
                )
            self.language = backbone.decoder
            if training.lora is not None:
                with torch.random.fork_rng(devices=[]):
                    torch.manual_seed(seed)
                    add_lora(backbone.decoder.layers, **training.lora)
            else:
                backbone.decoder.layers.requires_grad_(True)
                backbone.decoder.norm.requires_grad_(True)
        if training.checkpointing:
            backbone.model.gradient_checkpointing_enable({"use_reentrant": False})

    def on_fit_start(self) -> None:
        """Moves the frozen rest to this process's device.

        It also turns training mode on where dropout or gradient checkpointing asks for it.
        """
        self.backbone.model.to(self.device)
        settings = self.training_settings
        self.backbone.decoder.train(settings.checkpointing or settings.stage == 2)

    def on_train_batch_start(self, batch: Batch, index: int) -> None:
        """Sets the random seed from the step and the process's rank alone.

        So resumed training repeats its random numbers.
        """
        torch.manual_seed((self.seed * SEED_STEP + self.global_step) * 64 + self.global_rank)

    def choose(self, batch: Batch, gate: Gate | None = None) -> Chosen:
        """Selects from a batch, with the training gate or another."""
        settings = self.training_settings
        gate = gate or settings.gate
        rho: float | Tensor | None = None
        if settings.rho != "learned":
            rho = batch.rho if batch.rho is not None else settings.rho  # type: ignore[assignment]
        with torch.no_grad():
            query = self.backbone.model.get_input_embeddings()(batch.query).float()
        return self.selector(
            batch.tokens,
            batch.mask,
            query,
            batch.query_mask,
            batch.seconds,
            rho=rho,
            most=settings.most,
            gate=gate,
            tau=settings.tau,
            multiply=settings.gate_on == "tokens",
            extra=settings.extra if gate == "straight_through" else 0,
        )

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """Returns the cross-entropy of the answer, mean over its tokens and then over samples, plus the costs."""
        settings = self.training_settings
        chosen = self.choose(batch)
        each, right = self._read(batch, chosen)
        parts = {"ce": each.mean()}
        loss = parts["ce"]
        if settings.gate_on == "path":
            credit = self._credit(batch, chosen)
            loss = loss + (credit * chosen.weight).sum(1).mean()  # its value means nothing, its slope is the credit's
        if settings.rho == "learned":
            costs = self.costs(chosen.rho, batch.mask.sum(1), settings.most)
            parts, loss = parts | costs, loss + torch.stack(list(costs.values())).sum()
        with torch.no_grad():
            kept = chosen.count.float()
            seen = {
                "loss": torch.stack(list(parts.values())).sum(),
                **parts,
                "right": right.float().mean(),
                "rho_mean": chosen.rho.mean(),
                "rho_min": chosen.rho.min(),
                "rho_max": chosen.rho.max(),
                "n": kept.mean(),
                "keep_share": (kept / batch.mask.sum(1)).mean(),
                "entropy": chosen.entropy.mean(),
                "largest_r": chosen.log_scores.amax(1).exp().mean(),
            }
        self.log_dict({f"train/{k}": v.detach() for k, v in seen.items()}, batch_size=len(batch), sync_dist=True)
        return loss

    def _read(self, batch: Batch, chosen: Chosen, log_weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(Cross-entropy f32 [B], mean over a sample's answer; whether its first token is right, bool [B]).

        The language model reads samples of similar length together.
        """
        order, losses, hits = chosen.count.argsort().tolist(), [], []
        for first in range(0, len(order), self.training_settings.together):
            places = order[first : first + self.training_settings.together]
            weights = None if log_weight is None else log_weight[places]
            logits, labels = answer_logits(
                self.backbone, batch[places], chosen[places], self.training_settings.positions, weights
            )
            entropy = cross_entropy(logits.transpose(1, 2), labels, ignore_index=IGNORED, reduction="none")
            losses.append(entropy.sum(1) / (labels != IGNORED).sum(1))
            hits.append(logits[:, 0].argmax(-1) == labels[:, 0])
        back = torch.tensor(order, device=self.device).argsort()
        return torch.cat(losses)[back], torch.cat(hits)[back]

    @torch.enable_grad()
    def _credit(self, batch: Batch, chosen: Chosen) -> Tensor:
        """What each shown token adds to its sample's loss, f32 [B, n*], nats: negative for a token that helps."""
        still = replace(chosen, tokens=chosen.tokens.detach())

        def at(place: Tensor) -> Tensor:  # [B] or [B, n*] ln w -> the loss, f32 [B]
            return self._read(batch, still, place.expand(len(chosen.weight.T), -1).T if place.ndim == 1 else place)[0]

        with torch.no_grad():
            high = chosen.weight.new_zeros(len(batch))
            low = high - self.training_settings.depth
            absent, present = at(low), at(high)
            level = present + torch.rand_like(high) * (absent - present)
            for _ in range(HALVINGS):
                middle = (low + high) / 2
                further = (at(middle) > level) == (absent > present)  # the loss is still nearer to that of nothing
                low, high = torch.where(further, middle, low), torch.where(further, high, middle)
        log_weight = ((low + high) / 2)[:, None].expand_as(chosen.weight).clone().requires_grad_()
        (slope,) = torch.autograd.grad(at(log_weight).sum(), log_weight)
        size = torch.maximum(slope.sum(1).abs(), slope.norm(dim=1)).clamp_min(TINY)  # no credit where slopes cancel
        return (absent - present).abs()[:, None] * slope / size[:, None]

    def configure_optimizers(self) -> dict[str, Any]:
        """Returns AdamW with separate learning rates.

        The scorer with the budget head has one, the re-encoder another, and in stage 2 the language model a third.
        """
        settings, selector = self.training_settings, self.selector
        after: list[torch.nn.Module] = [selector.reencode_layers]
        if selector.time is not None:
            after.append(selector.time)
        modules: list[tuple[torch.nn.Module, float]] = [(selector.scoring_layers, 1.0), (selector.budget, 1.0)]
        modules += [(part, settings.reencode_rate) for part in after]
        if self.language is not None:
            modules.append((self.language, settings.llm_rate))
        return grouped_optimizer(modules, self.schedule)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, index: int) -> Batch:
        """Moves the padded tensors to `device`."""
        return batch.to(device)
