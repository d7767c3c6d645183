"""The gaze learns from what its own picks let the frozen reconstructor see: a group of rollouts per clip.

Per clip a threshold is drawn, and one rollout that stops by it says how many picks each frame gets. Then G rollouts
with those counts are drawn and compared with one another (see rewards.py). Log-probabilities are those of the transform
that drew the picks. It knows the gaze and the reconstructor, and not where clips come from. Source: AutoGaze (arXiv
2603.12254), stage 2.

There are two departures. Some counts are drawn at random, so that what is learned does not hang on where the loss heads
stop by now. The loss heads learn from a frame's first few picks too, and from none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import lightning
import torch
from torch import Tensor, nn

from framework.training.schedule import Schedule, optimizer
from strategies.learned.autogaze.gaze.calibration import SPACES, LossSpace, as_loss, as_predicted
from strategies.learned.autogaze.gaze.decoding import Control, Picks, Sampling, gaze_clip
from strategies.learned.autogaze.gaze.forcing import Forced, teacher_forced
from strategies.learned.autogaze.gaze.model import Gaze
from strategies.learned.autogaze.gaze.pixels import prepare
from strategies.learned.autogaze.reconstructor.model import Reconstructor
from strategies.learned.autogaze.training.detail_target import Detail
from strategies.learned.autogaze.training.encoded_clips import Watched
from strategies.learned.autogaze.training.losses import head_loss
from strategies.learned.autogaze.training.metrics import true_loss
from strategies.learned.autogaze.training.pick_counts import drawn_counts
from strategies.learned.autogaze.training.rewards import advantages, credit, policy_loss

PARTLY = 3  # one rollout in so many is judged with a frame's first few picks, too
SEED_STEP = 1_000_003  # apart in seeds: no step repeats the random numbers of another


@dataclass(frozen=True)
class GrpoSettings:
    """Says how rollouts are drawn, paid and learned from."""

    prompts: int  # clips a step
    rollouts: int  # G, of each
    frames: int  # of each clip that are reconstructed
    most: int  # picks of a frame at most
    drawn: float  # share of clips whose counts are drawn at random
    temperature: tuple[float, float]  # at the first and the last step, exponential between
    top_k: int | None
    discount: float
    quantiles: tuple[float, float]  # of the reconstructor's loss, between which thresholds are drawn
    loss_space: LossSpace  # what the loss heads learn: plain, or the logarithm
    loss_weight: float  # of the loss heads beside the policy
    detail_weight: float  # of what the stem is told beside the policy
    optimizer: Literal["adamw", "sgd"]

    def __post_init__(self) -> None:
        for name in ("prompts", "frames", "most"):
            if getattr(self, name) < 1:
                raise ValueError(f"recipe.training.{name} must be at least 1, got {getattr(self, name)}")
        if self.rollouts < 2:
            raise ValueError(f"recipe.training.rollouts must be at least 2 to be compared, got {self.rollouts}")
        low, high = self.quantiles
        if not 0 <= low <= high <= 1 or not 0 <= self.drawn <= 1 or not 0 < self.discount <= 1:
            raise ValueError(
                "recipe.training needs 0 <= low <= high <= 1 in quantiles, drawn within [0, 1] and discount within "
                f"(0, 1]; got {self.quantiles}, {self.drawn} and {self.discount}"
            )
        if min(self.temperature) <= 0 or self.loss_space not in SPACES:
            raise ValueError(
                f"recipe.training needs temperatures above 0 and a loss_space of {', '.join(SPACES)}; got "
                f"{self.temperature} and {self.loss_space}"
            )

    def temperature_at(self, progress: float) -> float:
        """Returns the temperature at a share 0..1 of the training."""
        first, last = self.temperature
        return first * (last / first) ** progress


class GrpoModule(lightning.LightningModule):
    """Trains `gaze`; the reconstructor never changes. Thresholds are drawn between the two losses `between`."""

    def __init__(
        self,
        gaze: Gaze,
        reconstructor: Reconstructor,
        settings: GrpoSettings,
        schedule: Schedule,
        between: tuple[float, float],
        seed: int,
    ) -> None:
        super().__init__()
        self.gaze, self.settings, self.schedule, self.between, self.seed = gaze, settings, schedule, between, seed
        self.detail = Detail(gaze)
        self.frozen = [reconstructor.requires_grad_(False).eval()]  # in a list: neither saved nor trained

    def on_fit_start(self) -> None:
        """Moves the frozen reconstructor to the device that trains."""
        self.frozen[0].to(self.device)

    def on_train_batch_start(self, batch: Tensor, index: int) -> None:
        """Sets the random seed from the step alone, so that resumed training repeats its random numbers."""
        torch.manual_seed(self.seed * SEED_STEP + self.global_step)

    def training_step(self, batch: Tensor, index: int) -> Tensor:
        """Returns the loss of clips u8 [P, T, S, S, 3].

        It is that of the policy, plus the weighted losses of the loss heads and of detail.
        """
        settings, pixels = self.settings, prepare(batch, self.gaze.config.side)
        temperature = settings.temperature_at(self.global_step / self.schedule.steps)
        sampling = Sampling(temperature, settings.top_k)
        counts = self.counts(pixels, sampling).repeat_interleave(settings.rollouts, 0)
        group: Any = Watched(self.gaze, pixels, settings.rollouts)
        asked = torch.rand(pixels.shape[:2], device=self.device).argsort(1)[:, : settings.frames]
        asked = asked.repeat_interleave(settings.rollouts, 0)  # [R, F]
        many = pixels.repeat_interleave(settings.rollouts, 0)
        picks = gaze_clip(group, many, Control(counts, sampling=sampling))
        true = true_loss(self.frozen[0], many, picks, asked)
        gained = advantages(-true.unflatten(0, (-1, settings.rollouts))).flatten(0, 1)
        paid = credit(gained, asked, counts, picks.ids.shape[2], settings.discount)
        forced = teacher_forced(group, many, picks, sampling)
        policy = policy_loss(forced.log_probabilities, paid)
        predicted, targets = self._predictions(many, picks, forced, asked, true)
        heads = head_loss(predicted, targets, settings.loss_space)
        told = self.detail.loss(self.gaze, group.tokens[:: settings.rollouts], pixels)
        loss = policy + settings.loss_weight * heads + settings.detail_weight * told
        seen = {
            "loss": loss,
            "heads": heads,
            "detail": told,
            "off": (as_loss(predicted, settings.loss_space) - targets).abs().mean(),
            "true": true.mean(),
            "spread": gained.std(),  # of a clip's rollouts
            "picks": counts.float().mean(),
            "nats": -forced.log_probabilities.sum() / counts.sum(),
            "temperature": temperature,
        }
        self.log_dict({f"train/{k}": torch.as_tensor(v).detach() for k, v in seen.items()}, batch_size=len(batch))
        return loss

    @torch.no_grad()
    def counts(self, pixels: Tensor, sampling: Sampling) -> Tensor:
        """Returns how many picks each frame gets, i64 [P, T]: where a rollout stops by a drawn threshold, or drawn."""
        settings, (count, frames) = self.settings, pixels.shape[:2]
        low, high = self.between
        thresholds = as_predicted(low + (high - low) * torch.rand(count, device=self.device), settings.loss_space)
        drawn = drawn_counts(count, frames, settings.most).to(self.device)
        at_random = torch.rand(count, device=self.device) < settings.drawn
        if bool(at_random.all()):
            return drawn
        stopped = gaze_clip(self.gaze, pixels, Control(settings.most, thresholds, sampling=sampling)).counts
        return torch.where(at_random[:, None], drawn, stopped)

    def _predictions(
        self, pixels: Tensor, picks: Picks, forced: Forced, asked: Tensor, true: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Predicted (as the heads say it) and true losses f32 [n]: after the last pick of each reconstructed frame, and
        in some rollouts after the first few, or none, of one of them."""
        eos, every = self.gaze.vocabulary.eos, torch.arange(len(asked), device=asked.device)
        along = torch.cat([forced.loss_before[..., None], forced.loss_predictions], 2)  # after 0 .. n picks
        last = along[every[:, None], asked, picks.counts.gather(1, asked)]
        rows = every[::PARTLY]
        frame, ids = asked[rows, 0], picks.ids[rows]
        few = (torch.rand(len(rows), device=asked.device) * picks.counts[rows, frame]).long()
        here, slots = torch.arange(len(rows), device=asked.device), torch.arange(ids.shape[2], device=asked.device)
        ids[here, frame] = ids[here, frame].masked_fill(slots >= few[:, None], eos)
        part = true_loss(self.frozen[0], pixels[rows], Picks(ids, ids != eos), frame[:, None])
        return torch.cat([last.flatten(), along[rows, frame, few]]), torch.cat([true.flatten(), part.flatten()])

    def configure_optimizers(self) -> Any:
        """Returns AdamW, or plain gradient descent, as the published script ends up with."""
        if self.settings.optimizer == "adamw":
            return optimizer(nn.ModuleList([self.gaze, self.detail]), self.schedule)
        descent = torch.optim.SGD([*self.gaze.parameters(), *self.detail.parameters()], lr=self.schedule.rate)
        rates = torch.optim.lr_scheduler.LambdaLR(descent, self.schedule.share)
        return {"optimizer": descent, "lr_scheduler": {"scheduler": rates, "interval": "step"}}
