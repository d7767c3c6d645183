"""A convolution whose kernels lie side by side, as a patch embedding has it, computed as a matrix product.

torch 2.9 has no fast kernel for it on CUDA (pytorch issues 174051 and 166122), and on a CPU the product is several
times faster, too. Values differ by what fp32 rounds.
"""

from __future__ import annotations

from typing import Any

import torch
from accelerate.hooks import add_hook_to_module
from torch import Tensor, nn
from torch.nn.functional import linear


class PatchProjection(nn.Conv3d):
    """Computes what the convolution `stock` does for inputs of exactly one kernel, with the very same parameters.

    Names and shapes of the parameters stay, so that whoever saves, loads, counts or trains them sees no difference.
    Raises ValueError for a convolution whose kernels overlap or leave gaps.
    """

    def __init__(self, stock: nn.Conv3d) -> None:
        if stock.stride != stock.kernel_size or stock.groups != 1 or stock.padding != (0, 0, 0):
            raise ValueError(f"expected a convolution with kernels side by side, got {stock}")
        sizes: dict[str, Any] = {"kernel_size": stock.kernel_size, "stride": stock.stride}
        super().__init__(stock.in_channels, stock.out_channels, **sizes, bias=stock.bias is not None, device="meta")
        self.weight, self.bias = stock.weight, stock.bias
        self.training = stock.training

    def forward(self, patches: Tensor) -> Tensor:
        """Projects patches [S, colours, frames, height, width] of the kernel's size, to [S, D, 1, 1, 1]."""
        return linear(patches.flatten(1), self.weight.flatten(1), self.bias)[..., None, None, None]


def as_product(tower: Any) -> None:
    """Replaces the convolution of a vision tower's own `patch_embed`; no class is touched.

    Weights that are not here (a device map that keeps some elsewhere) stay with the module that fetches them.
    """
    stock = tower.patch_embed.proj
    if stock.weight.device == torch.device("meta"):
        return
    tower.patch_embed.proj = PatchProjection(stock)
    if (hook := getattr(stock, "_hf_hook", None)) is not None:  # which brings what the module is given to its device
        add_hook_to_module(tower.patch_embed.proj, hook)
