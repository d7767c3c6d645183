"""Low-rank adaptation of linear layers: W x + (alpha / r) B A x with A random, B zero, W frozen.

Source: LoRA (arXiv 2106.09685), section 4.1.
"""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn.functional import linear


class LoRA(nn.Module):
    """Adds a trained correction of rank r to a frozen linear layer."""

    def __init__(self, base: nn.Linear, rank: int, alpha: float, dropout: float) -> None:
        super().__init__()
        if not 1 <= rank <= min(base.in_features, base.out_features):
            raise ValueError(f"lora.rank must lie within 1..{min(base.in_features, base.out_features)}, got {rank}")
        self.base, self.scale, self.dropout = base.requires_grad_(False), alpha / rank, nn.Dropout(dropout)
        self.down = nn.Parameter(base.weight.new_empty(rank, base.in_features))
        self.up = nn.Parameter(base.weight.new_zeros(base.out_features, rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, states: Tensor) -> Tensor:
        """Returns the layer's output plus the correction: [..., in] -> [..., out]."""
        return self.base(states) + self.scale * linear(linear(self.dropout(states), self.down), self.up)

    def merged(self) -> nn.Linear:
        """Adds the correction to the weight of the base layer, and returns that layer."""
        self.base.weight.data += self.scale * (self.up @ self.down).data
        return self.base


def add_lora(module: nn.Module, rank: int, alpha: float, dropout: float) -> None:
    """Puts a `LoRA` around every linear layer in `module`, and freezes all weights that were there."""
    module.requires_grad_(False)
    for part in list(module.modules()):
        for name, child in list(part.named_children()):
            if isinstance(child, nn.Linear) and not isinstance(part, LoRA):
                setattr(part, name, LoRA(child, rank, alpha, dropout))


def merge_lora(module: nn.Module) -> None:
    """Puts plain linear layers back into `module`; their weights now contain what was learned."""
    for part in list(module.modules()):
        for name, child in list(part.named_children()):
            if isinstance(child, LoRA):
                setattr(part, name, child.merged())
