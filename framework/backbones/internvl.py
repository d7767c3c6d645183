"""InternVL3 and InternVL3.5, and a converted InternVL2.5: stock `transformers` classes behind the `Backbone` interface.

A tick is one frame of 448 x 448 pixels; a token is a cell of 2 x 2 patches, 256 to a frame. Each frame has a number and
brackets of its own. The text model is a Qwen2, a Qwen3 or a Llama. Needs the checkpoints in the format of transformers
(names in -hf or -HF), not those that bring code of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from transformers import InternVLForConditionalGeneration

from framework.backbones import loading, operations, placement
from framework.backbones.families import TAKEN
from framework.backbones.frame_text import FrameText
from framework.backbones.framed import Framed
from framework.backbones.overlay import WeightOverlay
from framework.backbones.text import ChatText
from framework.backbones.told import check_text

VIDEO = "<video>"  # in the chat template: plain text, which the stock processor replaces before it reads the prompt
OPEN, CLOSE, CELL = "<img>", "</img>", "<IMG_CONTEXT>"


class InternVL(Framed):
    """Implements the adapter of the InternVL family.

    The arguments are the keys of `adapter` in conf/backbone/*.yaml, where each is explained. Raises ValueError that
    names the key for a wrong value, before any weight is read.
    """

    class_tokens = 1

    def __init__(
        self,
        checkpoint: str,
        overlay: WeightOverlay | None,
        dtype: str,
        device: str,
        device_map: Any,
        attention: str,
        frame_text: str,
        between: str,
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
        loading.check_common(dtype, attention, probe_tokens=probe_tokens, questions_per_pass=questions_per_pass)
        check_text("frame_text", frame_text)
        at = placement.resolve_device(device, device_map)
        opened = self._open(TAKEN["InternVL"][0], checkpoint, probe_positions, answer_positions)
        self.tensor_parallel = placement.check(opened.config, device, device_map, tensor_parallel, overlay)
        vision, tokenizer = opened.config.vision_config, opened.tokenizer
        self._set_frames(vision.image_size[0], vision.patch_size[0], round(1 / opened.config.downsample_ratio))
        self._check_fixed(min_pixels, max_pixels, total_pixels, second_per_grid)
        for token in (OPEN, CLOSE, CELL):
            if tokenizer(token, add_special_tokens=False)["input_ids"] != [tokenizer.get_added_vocab().get(token)]:
                raise ValueError(
                    f"{loading.KEY}.checkpoint: the tokenizer of {opened.place} does not read {token} as one special "
                    "token: take the tokenizer files of a checkpoint whose name ends in -hf or -HF"
                )
        self.frame_text = frame_text
        self.chat = ChatText(tokenizer, VIDEO, template=template, system=system)
        self.text = FrameText(self.chat, self._label, between, CLOSE, self.grid, row_ends=False)
        self._load(InternVLForConditionalGeneration, opened, overlay, dtype, at, device_map, attention)
        self.questions_per_pass, self.probe_tokens = questions_per_pass, probe_tokens

    def _label(self, frame: int) -> str:
        """The number of a frame, from 1 on, and the bracket before its tokens."""
        return self.frame_text.format(n=frame + 1) + OPEN

    def _features(self, pixels: Tensor) -> Tensor:
        features: Tensor = self.model.model.get_image_features(pixels, return_dict=True).pooler_output
        return features

    def _projected(self) -> tuple[int, int]:
        return self.grid[0] * self.grid[1], operations.weights(self.model.model.multi_modal_projector)
