"""Optional terms of the loss: how far frozen vision models see images and frames apart. Off unless they are configured.

Published are DINOv2 with registers (base) and SigLIP2 (base, 16 pixels, 224), each with weight .3: the mean squared
difference of the last four layers' hidden states. Source: AutoGaze (arXiv 2603.12254), its reconstruction loss.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from transformers import AutoImageProcessor, AutoModel

from strategies.learned.autogaze.gaze.pixels import MEAN, STD

LAYERS = 4  # the last of them
INTERPOLATE = "interpolate_pos_encoding"


@dataclass(frozen=True)
class TeacherSettings:
    """Describes one frozen model.

    Raises ValueError unless weight > 0, skip >= 0, and `side` is at least 1 or None.
    """

    checkpoint: str  # as transformers finds it
    weight: float
    skip: int  # leading tokens that are no patches: class token and registers
    side: int | None = None  # pixels that frames are resized to; None: the model's image_size

    def __post_init__(self) -> None:
        if self.weight <= 0 or self.skip < 0:
            raise ValueError(
                f"gaze.teachers: weight > 0 and skip >= 0 are needed, got {self.weight} and {self.skip} for "
                f"{self.checkpoint}"
            )
        if self.side is not None and self.side < 1:
            raise ValueError(f"gaze.teachers: side must be pixels, or null; got {self.side} for {self.checkpoint}")


class Teacher:
    """Measures how far apart a frozen model sees images and frames. The model is read when it is first needed.

    It is no module: it is neither saved nor trained with the network.
    """

    def __init__(self, settings: TeacherSettings) -> None:
        self.settings = settings

    def difference(self, pixels: Tensor, images: Tensor) -> Tensor:
        """Returns [R]: the mean squared difference of the model's states between frames and images, times the weight.

        Both are [R, 3, S, S], normalised as the reconstructor's.
        """
        with torch.no_grad():
            wanted = self._seen(pixels)
        return self.settings.weight * (self._seen(images) - wanted).square().flatten(1).mean(1)

    @cached_property
    def model(self) -> nn.Module:
        """Loads the vision model; of a pair of towers it is the one that sees."""
        found = AutoModel.from_pretrained(self.settings.checkpoint)
        model: nn.Module = getattr(found, "vision_model", found)
        return model.eval().requires_grad_(False)

    @cached_property
    def pixels(self) -> tuple[Tensor, Tensor, int]:
        """Returns the mean and deviation that it expects of pixels 0 .. 1, [3, 1, 1] each, and the side of a picture.

        Raises ValueError where that side is no whole number of patches.
        """
        told = AutoImageProcessor.from_pretrained(self.settings.checkpoint)
        mean, std = (torch.tensor(values)[:, None, None] for values in (told.image_mean, told.image_std))
        config: Any = self.model.config
        side = self.settings.side or int(config.image_size)
        if side % config.patch_size:
            raise ValueError(
                f"gaze.teachers: side must be a multiple of {config.patch_size} pixels, the patches of "
                f"{self.settings.checkpoint}; got {side}"
            )
        return mean, std, side

    @cached_property
    def positions(self) -> dict[str, bool]:
        """Returns the argument that a model needs to interpolate its positions; empty where it needs none."""
        config: Any = self.model.config
        asked = INTERPOLATE in inspect.signature(self.model.forward).parameters and self.pixels[2] != config.image_size
        return {INTERPOLATE: True} if asked else {}

    def _seen(self, pixels: Tensor) -> Tensor:
        """Hidden states [R, patches, LAYERS x D]."""
        mean, std, side = self.pixels
        own_mean, own_std = (torch.tensor(values).to(pixels)[:, None, None] for values in (MEAN, STD))
        share = (pixels * own_std + own_mean + 1) / 2  # 0 .. 1
        if share.shape[-1] != side:
            share = interpolate(share, (side, side), mode="bilinear", antialias=True)
        given, model = (share - mean.to(pixels)) / std.to(pixels), self.model.to(pixels.device)
        made = model(given, output_hidden_states=True, **self.positions)
        return torch.cat(made.hidden_states[-LAYERS:], -1)[:, self.settings.skip :]
