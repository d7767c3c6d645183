"""A stock SigLIP vision tower on the kept patches of several scales: dropped patches never enter it.

Every frame is seen at several sizes (`scales`, pixels of a side); patches of all of them are one vocabulary, numbered
scale by scale, the smallest first, row by row: place v of V = sum of (scale / patch)^2. Kept patches of a whole clip
are one sequence, ordered by (frame, v). The one table of positions is interpolated to each scale's grid; neither scale
nor time is told, so that the order of frames is seen through the mask alone:

    block_causal    a patch sees its own frame and those before it
    bidirectional   a patch sees the clip
    per_frame       a patch sees its frame

Layers, weights and positions are those of `transformers`, unchanged; its pooling head is not used. Knows no gaze model.

Source: AutoGaze (arXiv 2603.12254): patches and positions gathered before layer 0, one sequence per clip.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, linear
from torch.nn.utils.rnn import pad_sequence
from transformers import SiglipVisionModel

MASKS = ("block_causal", "bidirectional", "per_frame")


class GatheredSiglip(nn.Module):
    """Runs the vision tower `vit` on kept patches.

    Raises ValueError for scales that are not ascending multiples of the patch, and for unknown masks.
    """

    def __init__(self, vit: SiglipVisionModel, scales: tuple[int, ...], mask: str) -> None:
        super().__init__()
        patch = vit.config.patch_size
        if not scales or sorted(set(scales)) != list(scales) or any(scale < 1 or scale % patch for scale in scales):
            raise ValueError(f"scales must be ascending multiples of the patch of {patch} pixels; got {scales}")
        if mask not in MASKS:
            raise ValueError(f"mask must be one of {', '.join(MASKS)}; got {mask!r}")
        self.vit, self.scales, self.mask, self.patch = vit, tuple(scales), mask, patch
        self.sizes = [(scale // patch) ** 2 for scale in scales]  # patches of each scale

    def forward(self, pixels: Tensor, keep: Tensor) -> list[Tensor]:
        """Encodes normalised pixels f32 [B, T, 3, H, W] where bool [B, T, V] keeps them: per clip [K, D].

        The values are those after the last layer norm. Frames are brought to every scale by bicubic interpolation,
        those that are not square, too. Row k is the k-th kept patch of the clip, ordered by frame, then v. A clip of
        which nothing is kept has no rows.
        """
        clips, frames = pixels.shape[:2]
        if keep.shape != (clips, frames, sum(self.sizes)) or keep.dtype != torch.bool:
            expected = [clips, frames, sum(self.sizes)]
            raise ValueError(f"keep must be bool {expected}, got {keep.dtype} {list(keep.shape)}")
        counts = keep.flatten(1).sum(1)  # kept patches of each clip
        alone = keep.flatten(0, 1).sum(1) if self.mask == "per_frame" else counts  # of each sequence
        encoded = self._encoded(self._rows(pixels, keep), keep.nonzero()[:, 1], alone.tolist())
        return list(encoded.split(counts.tolist()))

    def _rows(self, pixels: Tensor, keep: Tensor) -> Tensor:
        """What enters layer 0: kept patches, projected, with their positions."""
        embeddings = self.vit.embeddings
        weight, bias = embeddings.patch_embedding.weight, embeddings.patch_embedding.bias
        place = (keep.flatten().cumsum(0) - 1).view_as(keep)  # where a kept patch stands among all
        rows = weight.new_empty(int(keep.sum()), len(weight))  # [K of all clips, D]
        parts = keep.split(self.sizes, dim=2), place.split(self.sizes, dim=2)
        for scale, kept, at in zip(self.scales, *parts, strict=True):
            grid = scale // self.patch
            images = pixels.flatten(0, 1)
            if pixels.shape[-2:] != (scale, scale):
                images = interpolate(images, size=(scale, scale), mode="bicubic", align_corners=False)
            images, chosen = images.to(weight.dtype), kept.reshape(-1, grid, grid)
            if bool(kept.all()):  # the stock projection, bit by bit
                projected = embeddings.patch_embedding(images).flatten(2).mT.flatten(0, 1)
            else:
                cut = images.unflatten(3, (grid, self.patch)).unflatten(2, (grid, self.patch))  # [BT, 3, g, p, g, p]
                patches = cut.permute(0, 2, 4, 1, 3, 5)[chosen].flatten(1)  # [kept, 3 * p * p]
                projected = linear(patches, weight.flatten(1), bias)
            like = weight.new_empty(1, 1, 1).expand(1, grid**2, len(weight))  # it asks for no more than a shape
            positions = embeddings.interpolate_pos_encoding(like, scale, scale)[0]  # [g * g, D]
            rows[at[kept]] = projected + positions[chosen.flatten(1).nonzero()[:, 1]]
        return rows

    def _encoded(self, rows: Tensor, frame: Tensor, counts: list[int]) -> Tensor:
        """Sequences of `counts` rows each, through the layers: [K of all, D] -> the same."""
        used = [count for count in counts if count]
        if not used:
            return rows
        padded = pad_sequence(rows.split(used), batch_first=True)  # [B, longest, D]
        lengths = torch.tensor(used, device=rows.device)
        valid = torch.arange(padded.shape[1], device=rows.device) < lengths[:, None]  # [B, longest]
        seen = valid[:, None]  # [B, who looks, at what]
        if self.mask == "block_causal":
            late = int(frame.max())  # what fills up looks at everything: a row that sees nothing would be NaN
            time = pad_sequence(frame.split(used), batch_first=True, padding_value=late)
            seen = seen & (time[:, :, None] >= time[:, None])
        mask = None
        if not bool(seen.all()):
            mask = torch.zeros_like(seen, dtype=rows.dtype).masked_fill(~seen, torch.finfo(rows.dtype).min)[:, None]
        states = self.vit.encoder(inputs_embeds=padded, attention_mask=mask).last_hidden_state
        encoded: Tensor = self.vit.post_layernorm(states[valid])
        return encoded
