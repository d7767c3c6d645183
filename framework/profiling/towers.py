"""Vision towers of known shapes with random weights, whole and gathered. Nothing is read from a file or a network.

A new shape is a class with these members, and its name in TOWERS.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLModel, SiglipVisionConfig, SiglipVisionModel

from framework.backbones import equal_chunk_attention, gathered_tower
from framework.backbones.gathered_siglip import GatheredSiglip
from framework.backbones.patch_projection import as_product
from framework.video.preprocess import normalise, patchify

HALF = (0.5, 0.5, 0.5)  # mean and deviation of pixels: any will do for timing
SCALES = (2, 4, 7, 14)  # AutoGaze (arXiv 2603.12254): 32, 64, 112 and 224 pixels for frames of 224


class Tower(ABC):
    """Defines a vision tower in inference, as a stock model and on the kept places only."""

    multiple: ClassVar[int]  # sizes of frames in pixels that it takes
    depth: ClassVar[int]  # layers that it has as a whole
    layers: nn.ModuleList

    @abstractmethod
    def __init__(self, layers: int | None, mask: str, device: str, dtype: torch.dtype) -> None:
        """Builds the first `layers` of the tower, or all where it is None.

        `mask` is that of `GatheredSiglip`, where it has a meaning.
        """

    @abstractmethod
    def pixels(self, frames: int, size: int) -> Tensor:
        """Makes a clip of noise, as the tower takes it."""

    @abstractmethod
    def places(self, frames: int, size: int) -> tuple[int, ...]:
        """Returns the shape of `keep`, which says what may be kept of such a clip."""

    @abstractmethod
    def dense(self, pixels: Tensor) -> object:
        """Runs the stock forward pass."""

    @abstractmethod
    def gathered(self, pixels: Tensor, keep: Tensor) -> object:
        """Runs the tower on what is kept. Nothing else enters it."""


class SiglipBase(Tower):
    """Mirrors the shape of google/siglip-base-patch16-224: 12 layers of width 768.

    The gathered tower reads four scales, the whole one only the finest.
    """

    multiple = 224
    depth = 12

    def __init__(self, layers: int | None, mask: str, device: str, dtype: torch.dtype) -> None:
        self.vit = SiglipVisionModel(SiglipVisionConfig(num_hidden_layers=layers or self.depth, vision_use_head=False))
        self.vit = self.vit.to(device, dtype).eval()
        self.layers, self.mask = self.vit.encoder.layers, mask

    def pixels(self, frames: int, size: int) -> Tensor:
        """Makes a clip of noise: normalised pixels [1, frames, 3, size, size]."""
        return torch.randn(1, frames, 3, size, size, device=self.vit.device, dtype=self.vit.dtype)

    def places(self, frames: int, size: int) -> tuple[int, ...]:
        """Returns the shape of `keep`: patches of four scales in every frame."""
        return 1, frames, sum((scale // 16) ** 2 for scale in self._scales(size))

    def dense(self, pixels: Tensor) -> object:
        """Runs the stock tower on one scale, frame by frame."""
        return self.vit(pixels[0], interpolate_pos_encoding=True)

    def gathered(self, pixels: Tensor, keep: Tensor) -> object:
        """Runs the tower on the kept patches of all scales, one sequence per clip."""
        return GatheredSiglip(self.vit, self._scales(pixels.shape[-1]), self.mask)(pixels, keep)

    def _scales(self, size: int) -> tuple[int, ...]:
        return tuple(size * scale // SCALES[-1] for scale in SCALES)


class Qwen25VL3B(Tower):
    """Mirrors the shape of Qwen/Qwen2.5-VL-3B's tower: 32 layers of width 1,280, every eighth with full attention.

    Patches are projected as the adapter does it, in the whole tower too.
    """

    multiple = 28
    depth = 32

    def __init__(self, layers: int | None, mask: str, device: str, dtype: torch.dtype) -> None:
        depth = layers or self.depth
        vision: dict[str, Any] = {"depth": depth, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16}
        vision |= {"out_hidden_size": 2048, "fullatt_block_indexes": list(range(7, depth, 8))}
        text: dict[str, Any] = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1, "vocab_size": 8}
        text |= {"num_attention_heads": 1, "num_key_value_heads": 1, "bos_token_id": None, "eos_token_id": None}
        model = Qwen2_5_VLModel(Qwen2_5_VLConfig(text_config=text, vision_config=vision))
        model.set_attn_implementation({"vision_config": equal_chunk_attention.register()})
        self.tower: Any = model.visual.to(device, dtype).eval()
        as_product(self.tower)
        self.layers = self.tower.blocks

    def pixels(self, frames: int, size: int) -> Tensor:
        """Makes a clip of noise: bytes [frames / 2, 2, 3, size, size]."""
        return torch.randint(0, 256, (frames // 2, 2, 3, size, size), dtype=torch.uint8, device=self.tower.device)

    def places(self, frames: int, size: int) -> tuple[int, ...]:
        """Returns the shape of `keep`: cells of 28 x 28 pixels and two frames."""
        return (frames // 2 * (size // 28) ** 2,)

    def dense(self, pixels: Tensor) -> object:
        """Runs the stock tower on all patches."""
        patches = patchify(normalise(pixels, HALF, HALF), 14, 2)
        side = pixels.shape[-1] // 14
        return self.tower(patches.to(self.tower.dtype), torch.tensor([[len(pixels), side, side]], device=pixels.device))

    def gathered(self, pixels: Tensor, keep: Tensor) -> object:
        """Runs the tower on the patches of the kept cells alone."""
        return gathered_tower.encode(self.tower, pixels, keep, HALF, HALF)


TOWERS: dict[str, type[Tower]] = {"siglip_base": SiglipBase, "qwen2_5_vl_3b": Qwen25VL3B}
