"""LLaVA-OneVision, and LLaVA-Video in its format: stock `transformers` classes behind the `Backbone` interface.

A tick is one frame of 384 x 384 pixels: 27 x 27 patches, pooled to 14 x 14 tokens. The learned newline is no visual
token. It follows the whole video (`newline: one`, what the stock class does) or every row of cells (`grid`, what
LLaVA-Video was trained with and the stock class does not do). LLaVA-Video may be told times after the video.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import LlavaOnevisionForConditionalGeneration

from framework.backbones import loading, operations, placement
from framework.backbones.device_map import on_disk
from framework.backbones.families import TAKEN
from framework.backbones.frame_text import FrameText
from framework.backbones.framed import Framed
from framework.backbones.overlay import WeightOverlay
from framework.backbones.text import ChatText
from framework.backbones.told import check_text
from framework.core.model_files import model_files
from framework.core.weight_files import Stored

NEWLINES = ("one", "grid")
NEWLINE = "model.image_newline"  # a parameter that no module reads
POOLED = 2  # patches along a side of what becomes a token


class LlavaOneVision(Framed):
    """Implements the adapter of the LLaVA-OneVision family.

    The arguments are the keys of `adapter` in conf/backbone/*.yaml, where each is explained. Raises ValueError that
    names the key for a wrong value, before any weight is read.
    """

    def __init__(
        self,
        checkpoint: str,
        overlay: WeightOverlay | None,
        dtype: str,
        device: str,
        device_map: Any,
        attention: str,
        newline: str,
        time_text: str,
        system: str | None,
        template: Mapping[str, Any],
        probe_positions: str,
        answer_positions: str,
        probe_tokens: int,
        questions_per_pass: int,
        min_pixels: int,
        max_pixels: int,
        total_pixels: int | None,
        second_per_grid: float | None,
        tensor_parallel: bool = False,
    ) -> None:
        loading.one_of("newline", newline, NEWLINES)
        loading.check_common(dtype, attention, probe_tokens=probe_tokens, questions_per_pass=questions_per_pass)
        at = placement.resolve_device(device, device_map)
        check_text("time_text", time_text)
        self.newline, self.time_text = newline, time_text
        opened = self._open(TAKEN["LlavaOneVision"][0], checkpoint, probe_positions, answer_positions)
        self.tensor_parallel = placement.check(opened.config, device, device_map, tensor_parallel, overlay, (NEWLINE,))
        self._check_newline(opened)
        vision = opened.config.vision_config
        self._set_frames(vision.image_size, vision.patch_size, POOLED)
        self._check_fixed(min_pixels, max_pixels, total_pixels, second_per_grid)
        self.chat = ChatText(opened.tokenizer, opened.token("video_token_id"), template=template, system=system)
        self.text = FrameText(self.chat, lambda frame: "", "", "", self.grid, row_ends=newline == "grid")
        self.after = self.chat.give_between() if time_text else ""
        self._load(LlavaOnevisionForConditionalGeneration, opened, overlay, dtype, at, device_map, attention)
        self.questions_per_pass, self.probe_tokens = questions_per_pass, probe_tokens
        if self.model.model.image_newline.is_meta:
            raise ValueError(on_disk(NEWLINE))

    def _check_newline(self, opened: loading.Opened) -> None:
        """ValueError where the weights of a folder have no row for the newline. Names alone are read."""
        names = Stored(model_files(Path(opened.place))) if opened.local else ("image_newline",)
        if not any(name.endswith("image_newline") for name in names):
            raise ValueError(
                f"{loading.KEY}.checkpoint: {opened.place} lacks 1 weights that newline={self.newline} stands for, "
                "e.g. model.image_newline: take a conversion that has it, such as those of llava-hf"
            )

    def _times(self, seconds: Tensor, end: float) -> str:
        """What is told of the times of frames, f64 [Tk]."""
        times = ",".join(f"{second:.2f}s" for second in seconds.tolist())
        return self.time_text.format(seconds=end, frames=len(seconds), times=times)

    @property
    def row_end(self) -> Tensor | None:
        """Returns the newline [1, D] with `newline: grid`."""
        return self.model.model.image_newline[None] if self.newline == "grid" else None

    def ending(self, seconds: Tensor, end: float) -> list[Tensor]:
        """Returns the newline with `newline: one`, and the ids of what is told of the times."""
        pieces = [] if self.newline == "grid" else [self.model.model.image_newline[None]]
        if not self.time_text:
            return pieces
        return [*pieces, torch.tensor(self.chat.inside(self.after + self._times(seconds, end) + "\n"))]

    def _features(self, pixels: Tensor) -> Tensor:
        """Pooling is that of each frame. The row after all of them, the newline, is left out."""
        features = self.model.model.get_video_features(pixels[None], return_dict=True).pooler_output[0, :-1]
        return features.unflatten(0, (len(pixels), -1))

    def _projected(self) -> tuple[int, int]:
        return self.patches, operations.weights(self.model.model.multi_modal_projector)
