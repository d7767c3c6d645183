"""Frames -> vision tokens: patches, then a convolution over space and over this and earlier frames.

Causal in time, so a video can be read frame by frame: the state between two calls is what the convolution of each block
last read. Parameter names are those of the official state dict. Source: AutoGaze (arXiv 2603.12254).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, relu

State = list[Tensor]  # of each block: the last frames that it read, [B, D, kernel - 1, g, g]


class Block(nn.Module):
    """Applies a convolution over (time, height, width) that never reads a later frame, then ReLU.

    It has no residual and no norm.
    """

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.past = kernel - 1
        self.conv3d = nn.Conv3d(width, width, kernel, padding=(0, kernel // 2, kernel // 2))

    def forward(self, states: Tensor, before: Tensor | None) -> tuple[Tensor, Tensor]:
        """Maps states [B, D, T, g, g] to new ones of the same shape, and returns the last frames that it read.

        `before` are the last frames that the previous call read; None stands for zeros.
        """
        if before is None:
            states = pad(states, (0, 0, 0, 0, self.past, 0))
        else:
            states = torch.cat([before, states], dim=2)
        return relu(self.conv3d(states)), states[:, :, states.shape[2] - self.past :]


class Stem(nn.Module):
    """Turns frames [B, T, 3, S, S] into vision tokens [B, T, (S / patch)^2, D]."""

    def __init__(self, width: int, patch: int, blocks: int, kernel: int) -> None:
        super().__init__()
        self.patch = patch
        self.temporal_conv = nn.Conv3d(3, width, (1, patch, patch), stride=(1, patch, patch))
        self.norm = nn.LayerNorm(width, eps=1e-5)
        self.blocks = nn.ModuleList([Block(width, kernel) for _ in range(blocks)])
        self.out_proj = nn.Conv3d(width, width, 1)

    def forward(self, pixels: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Returns the vision tokens of normalised frames, row by row, and the state to read the next frames with."""
        states = self.temporal_conv(pixels.transpose(1, 2))  # [B, D, T, g, g]
        states = self.norm(states.movedim(1, -1)).movedim(-1, 1)
        after: State = []
        for place, block in enumerate(self.blocks):
            states, last = block(states, None if state is None else state[place])
            after.append(last)
        return self.out_proj(states).movedim(1, -1).flatten(2, 3), after
