"""How a new gaze begins: with a stem that already sees detail and change.

A frame is worth a pick where it holds detail that its coarse patches do not show, and where it has changed. A stem with
random filters tells neither. The mean colour of a patch drowns the rest, and the norm behind the first convolution
takes away the strength by which detail would be known. So the first filters are low frequencies of brightness and
colour, and noise without low frequencies. Constant channels carry the norm. The units behind it answer to how strongly
a filter responds now, or how differently from a frame ago. Layers of the decoder start at the scale of their width, and
positions smaller, so that attention depends on what is seen from the first step on. All of it is trained. The published
model starts at random and is trained on several hundred times as many clips.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from strategies.learned.autogaze.gaze.model import Gaze, GazeConfig
from strategies.learned.autogaze.gaze.stem import Block

SEED = 71  # of the filters
MEAN, LOW, HIGH = 1.8, 0.38, 0.41 / 16  # usual responses of filters of unit norm on normalised pixels, over the side
REFERENCE = 8.0  # of the constant channels, where responses are about 1
COLOURS = ((1.0, 1.0, 1.0), (1.0, -1.0, 0.0), (1.0, 1.0, -2.0))  # brightness, red to green, yellow to blue
POSITIONS = 0.3
EDGE = 4  # frequencies from here on are detail: those that the coarsest scale cannot show


@torch.no_grad()
def initialise(config: GazeConfig, seed: int) -> Gaze:
    """Returns a new gaze in evaluation mode, with a stem that already sees detail and change."""
    gaze = Gaze.random(config, seed)
    generator = torch.Generator().manual_seed(SEED + seed)
    gaze.positions.mul_(POSITIONS)
    for weight in gaze.decoder.layers.parameters():
        if weight.ndim == 2:
            weight.copy_(torch.randn(weight.shape, generator=generator) / math.sqrt(weight.shape[1]))
    _stem(gaze, generator)
    return gaze


def _stem(gaze: Gaze, generator: torch.Generator) -> None:
    stem, width, patch = gaze.stem, gaze.config.width, gaze.config.patch
    low, constant = width // 4, width // 6
    high = width - low - constant
    first, behind = stem.temporal_conv, stem.blocks[0]
    assert isinstance(behind, Block)
    block = behind.conv3d
    assert first.bias is not None and block.bias is not None
    first.weight.zero_()
    first.bias.zero_()
    first.weight[:low, :, 0] = _low(low, patch)
    first.weight[low : low + high, :, 0] = _high(high, patch, generator)
    first.bias[-constant:] = REFERENCE * (1 - 2 * (torch.arange(constant) % 2))
    block.weight.mul_(0.3)
    block.bias.zero_()
    now, middle = block.weight.shape[2] - 1, block.weight.shape[3] // 2
    units = torch.arange(width)
    block.weight[units, units, now, middle, middle] += 3.0
    if now:  # every second detail filter, and in place of the constant channels low frequencies: what has changed
        changed = torch.cat([units[low + high // 2 : low + high], units[low + high :]])
        source = torch.cat([units[low + high // 2 : low + high], units[:low].repeat(constant)[:constant]])
        block.weight[units[low + high :], units[low + high :], now, middle, middle] -= 3.0
        block.weight[units[low + high :], source[-constant:], now, middle, middle] += 3.0
        block.weight[changed, source, now - 1, middle, middle] -= 3.0
    turned = torch.linalg.qr(torch.randn(width, width, generator=generator))[0]
    stem.out_proj.weight.copy_(0.5 * turned[:, :, None, None, None])


def _cosines(patch: int) -> tuple[Tensor, Tensor]:
    """(The cosine basis [p * p, p, p] of unit norm, coarse to fine; the higher frequency of each i64 [p * p])."""
    place = torch.arange(patch) + 0.5
    rows = torch.stack(
        [torch.cos(math.pi * place * u / patch) * math.sqrt((2 if u else 1) / patch) for u in range(patch)]
    )
    order = sorted(((u, v) for u in range(patch) for v in range(patch)), key=lambda pair: (sum(pair), pair))
    basis = torch.stack([rows[u][:, None] * rows[v] for u, v in order])
    return basis, torch.tensor([max(pair) for pair in order])


def _low(count: int, patch: int) -> Tensor:
    """[count, 3, p, p]: half of brightness, the rest of the two colours, from coarse to fine; responses about .5."""
    basis, _ = _cosines(patch)
    usual = torch.full((len(basis),), LOW * patch)
    usual[0] = MEAN * patch
    filters = []
    for colour, many in zip(COLOURS, (count - 2 * (count // 4), count // 4, count // 4), strict=True):
        mix = torch.tensor(colour)
        nth = torch.arange(many) % len(basis)
        filters.append(0.5 * (mix / mix.norm())[None, :, None, None] * (basis[nth] / usual[nth, None, None])[:, None])
    return torch.cat(filters)


def _high(count: int, patch: int, generator: torch.Generator) -> Tensor:
    """[count, 3, p, p]: noise of brightness without low frequencies; responses about 1."""
    basis, frequency = _cosines(patch)
    fine = basis[frequency >= min(EDGE, patch - 1)]
    noise = torch.randn(count, len(fine), generator=generator)
    filters = torch.einsum("nk,kxy->nxy", noise / noise.norm(dim=1, keepdim=True), fine) / (HIGH * patch)
    return filters[:, None].expand(-1, 3, -1, -1) / math.sqrt(3)
