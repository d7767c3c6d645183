"""A masked autoencoder over the patches that a gaze picked: what each frame looks like, given these.

Only picked patches enter the encoder. Attention is causal by frames: a frame is rebuilt from what was picked in it and
before it. The decoder writes the patches of the finest scale. As published, the slots of a rebuilt frame are read by
later frames too, so an image depends on which others are asked for. A `lean` decoder rebuilds each frame from picked
patches alone and holds no slots of the coarser scales. With a `canvas` pixels are shown as they were last seen; what
the decoder writes is shown only where nothing was ever seen.

Source: AutoGaze (arXiv 2603.12254), its reconstruction model; masked autoencoders (arXiv 2111.06377).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from strategies.learned.autogaze.reconstructor.blocks import Block, KeysValues
from strategies.learned.autogaze.reconstructor.canvas import enlarge, paint
from strategies.learned.autogaze.reconstructor.config import ReconstructorConfig
from strategies.learned.autogaze.reconstructor.patches import cut, join
from strategies.learned.autogaze.reconstructor.positions import every_scale, sines
from strategies.learned.autogaze.reconstructor.teachers import Teacher

START = 0.02  # standard deviation of new weights
CLASS_FRAME = -1  # the class token stands before the first frame


@dataclass(frozen=True)
class Picked:
    """Holds the picked patches of a batch, in order of frames and ids, padded."""

    patches: Tensor  # [B, N, 3 * patch^2]
    ids: Tensor  # i64 [B, N]
    frame: Tensor  # i64 [B, N]
    valid: Tensor  # bool [B, N]


@dataclass(frozen=True)
class Past:
    """Holds what earlier frames left in every layer, the class token first."""

    encoder: list[KeysValues]
    decoder: list[KeysValues]
    frame: Tensor  # i64 [B, M]
    valid: Tensor  # bool [B, M]
    canvas: Tensor | None  # [B, 3, S, S]: what was last seen where, NaN where nothing was

    def __getitem__(self, rows: Tensor) -> Past:
        """Returns the past of the samples named by `rows`, i64 [R], each as often as it is named."""
        encoder, decoder = (
            [(key[rows], value[rows]) for key, value in layers] for layers in (self.encoder, self.decoder)
        )
        canvas = None if self.canvas is None else self.canvas[rows]
        return Past(encoder, decoder, self.frame[rows], self.valid[rows], canvas)


class Reconstructor(nn.Module):
    """Rebuilds frames from picked patches."""

    def __init__(self, config: ReconstructorConfig) -> None:
        super().__init__()
        self.config, self.vocabulary = config, config.vocabulary
        self.teachers: list[Teacher] = []  # terms of the loss beside pixels
        width, narrow, grid = config.width, config.decoder_width, self.vocabulary.grids[-1]
        values, scales = 3 * config.patch**2, len(config.scales)
        self.patch_embed = nn.Linear(values, width)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(sines(width, grid), requires_grad=False)
        self.scale_embed = nn.Parameter(torch.zeros(scales, width))
        self.time_embed = nn.Parameter(torch.zeros(config.frames, width))
        self.encoder = nn.ModuleList([Block(width, config.heads, config.hidden) for _ in range(config.layers)])
        self.norm = nn.LayerNorm(width, 1e-12)
        self.decoder_embed = nn.Linear(width, narrow)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, narrow))
        self.decoder_positions = nn.Parameter(sines(narrow, grid), requires_grad=False)
        self.decoder_scale_embed = nn.Parameter(torch.zeros(scales, narrow))
        self.decoder_time_embed = nn.Parameter(torch.zeros(config.frames, narrow))
        self.decoder = nn.ModuleList(
            [Block(narrow, config.decoder_heads, config.decoder_hidden) for _ in range(config.decoder_layers)]
        )
        self.decoder_norm = nn.LayerNorm(narrow, 1e-12)
        self.predict = nn.Linear(narrow, values)
        self.canvas_embed = nn.Linear(values, narrow) if config.canvas else None
        self.apply(_start)
        for parameter in (self.class_token, self.scale_embed, self.time_embed, self.mask_token,
                          self.decoder_scale_embed, self.decoder_time_embed):  # fmt: skip
            nn.init.normal_(parameter, std=START)

    def forward(self, pixels: Tensor, picked: Tensor, frames: Tensor | None = None) -> Tensor:
        """Rebuilds images [B, F, 3, S, S] of `frames` (i64 [F] or [B, F]; None: all).

        It is given normalised pixels [B, T, 3, S, S] and `picked` bool [B, T, V]. Raises ValueError where their shapes
        do not fit, or there are more frames than time embeddings.
        """
        self._check(pixels, picked)
        count, total = pixels.shape[:2]
        if frames is None:
            frames = torch.arange(total, device=pixels.device)
        asked = frames.expand(count, -1)
        last = int(asked.max()) + 1  # later frames tell nothing of these
        patches, picked = self.cut(pixels[:, :last]), picked[:, :last]
        canvas = self._canvases(pixels, patches, picked, asked) if self.config.canvas else None
        return self._images(self.gathered(patches, picked), asked, None, canvas)[0]

    def loss(self, pixels: Tensor, images: Tensor, frames: Tensor | None = None) -> Tensor:
        """Returns [B, F]: how far images [B, F, 3, S, S] are from `frames` of pixels.

        It is the mean absolute difference, normalised, and what the teachers add.
        """
        if frames is not None:
            rows = torch.arange(len(pixels), device=pixels.device)[:, None]
            pixels = pixels[rows, frames.expand(len(pixels), -1)]
        loss = (pixels - images).abs().flatten(2).mean(2)
        for teacher in self.teachers:
            loss = loss + teacher.difference(pixels.flatten(0, 1), images.flatten(0, 1)).view_as(loss)
        return loss

    def cut(self, pixels: Tensor) -> Tensor:
        """Cuts normalised frames [..., 3, S, S] into patches [..., V, 3 * patch^2]."""
        return cut(pixels, self.config.scales, self.config.patch, self.config.antialias)

    def gathered(self, patches: Tensor, picked: Tensor, first: int = 0) -> Picked:
        """Gathers the picked ones (bool [B, T, V]) of patches [B, T, V, P].

        `first` is the number of the first frame.
        """
        size = self.vocabulary.size
        index, valid = places(picked.flatten(1))
        wide = index[..., None].expand(-1, -1, patches.shape[-1])
        return Picked(patches.flatten(1, 2).gather(1, wide), index % size, index // size + first, valid)

    def start(self, count: int) -> Past:
        """Returns the past of `count` samples that have seen nothing."""
        none = torch.zeros(count, 0, dtype=torch.long, device=self.class_token.device)
        patches = self.class_token.new_zeros(count, 0, self.patch_embed.in_features)
        past = self._images(Picked(patches, none, none, none.bool()), none, None, None)[1]
        return replace(past, canvas=self._blank(count) if self.config.canvas else None)

    def extended(self, past: Past, tokens: Picked) -> Past:
        """Returns the past after one more frame, of which `tokens` were picked."""
        none = torch.zeros(len(tokens.ids), 0, dtype=torch.long, device=tokens.ids.device)
        return replace(self._images(tokens, none, past, None)[1], canvas=self._painted(past, tokens))

    def rebuilt(self, past: Past, tokens: Picked, frame: int, canvas: Tensor | None = None) -> Tensor:
        """Rebuilds images [B, 3, S, S] of the frame after the past, of which `tokens` were picked.

        `canvas` [B, 3, S, S] is that of the past with these picks painted, where it is known already.
        """
        asked = torch.full((len(tokens.ids), 1), frame, dtype=torch.long, device=tokens.ids.device)
        canvas = self._painted(past, tokens) if canvas is None else canvas
        return self._images(tokens, asked, past, None if canvas is None else canvas[:, None])[0][:, 0]

    def _blank(self, count: int) -> Tensor:
        """Nothing was seen."""
        return self.class_token.new_full((count, 3, self.config.side, self.config.side), float("nan"))

    def _canvases(self, pixels: Tensor, patches: Tensor, picked: Tensor, asked: Tensor) -> Tensor:
        """[B, F, 3, S, S] of the asked frames i64 [B, F], after patches [B, T, V, P] were picked (bool [B, T, V])."""
        canvas, kept = self._blank(len(patches)), []
        wanted, place = asked.unique(return_inverse=True)
        for frame in range(patches.shape[1]):
            shown = enlarge(patches[:, frame], self.vocabulary, pixels[:, frame])
            canvas = paint(canvas, shown, picked[:, frame], self.vocabulary)
            if frame in wanted:
                kept.append(canvas)
        return torch.stack(kept, 1)[torch.arange(len(asked), device=asked.device)[:, None], place]

    def _painted(self, past: Past, tokens: Picked) -> Tensor | None:
        """The canvas of the past after one more frame."""
        if past.canvas is None:
            return None
        size = self.vocabulary.size
        place = torch.where(tokens.valid, tokens.ids, size)
        patches = tokens.patches.new_zeros(len(place), size + 1, tokens.patches.shape[-1])
        patches = patches.scatter(1, place[..., None].expand_as(tokens.patches), tokens.patches)[:, :size]
        picked = torch.zeros(len(place), size + 1, dtype=torch.bool, device=place.device).scatter(1, place, True)
        return paint(past.canvas, enlarge(patches, self.vocabulary), picked[:, :size], self.vocabulary)

    def _images(self, tokens: Picked, asked: Tensor, past: Past | None, canvas: Tensor | None) -> tuple[Tensor, Past]:
        """(Images [B, F, 3, S, S] of frames i64 [B, F], the past with these tokens in it, its canvas left out)."""
        count, vocabulary = len(tokens.ids), self.vocabulary
        scale = vocabulary.scale_of(tokens.ids)
        table = every_scale(self.positions, vocabulary.grids, False)
        states = self.patch_embed(tokens.patches) + table[tokens.ids] + self.scale_embed[scale]
        states = states + self.time_embed[tokens.frame]
        frame, valid = tokens.frame, tokens.valid
        if past is None:
            first = (self.class_token + self.positions[:, :1]).expand(count, -1, -1)
            states = torch.cat([first, states], 1)
            frame = torch.cat([frame.new_full((count, 1), CLASS_FRAME), frame], 1)
            valid = torch.cat([valid.new_ones(count, 1), valid], 1)
        mask = _seen(frame, valid, past)
        encoder: list[KeysValues] = []
        for number, block in enumerate(self.encoder):
            states, kept = block(states, mask, past and past.encoder[number])
            encoder.append(kept)
        states = self.decoder_embed(self.norm(states))

        own = states if past is not None else states[:, 1:]
        slots = self._slots(own, tokens, asked)  # [B, F, slots, D]
        cells = vocabulary.grids[-1] ** 2  # the finest scale stands last
        if canvas is not None and self.canvas_embed is not None:
            seen = cut(canvas.nan_to_num(0.0), self.config.scales[-1:], self.config.patch, False)
            slots = slots + pad(self.canvas_embed(seen), (0, 0, slots.shape[2] - cells, 0))
        context = own + self._places_of(tokens.ids, tokens.frame)
        if past is None:
            context = torch.cat([states[:, :1] + self.decoder_positions[:, :1], context], 1)
        shown = valid
        if not self.config.lean:  # picked patches of the asked frames stand in their slots
            shown = valid & ~(frame[..., None] == asked[:, None]).any(-1)
        states = torch.cat([context, slots.flatten(1, 2)], 1)
        slot_frame = asked.repeat_interleave(slots.shape[2], 1)
        mask = self._decoder_mask(frame, shown, slot_frame, past)
        decoder: list[KeysValues] = []
        for number, block in enumerate(self.decoder):
            states, (key, value) = block(states, mask, past and past.decoder[number])
            end = key.shape[2] - slot_frame.shape[1]
            decoder.append((key[:, :, :end], value[:, :, :end]))
        written = states[:, context.shape[1] :].unflatten(1, tuple(slots.shape[1:3]))
        images = join(self.predict(self.decoder_norm(written[:, :, -cells:])).float(), self.config.patch)
        if canvas is not None:
            images = torch.where(canvas.isnan(), images, canvas)
        if past is not None:
            frame, valid = torch.cat([past.frame, frame], 1), torch.cat([past.valid, valid], 1)
        return images, Past(encoder, decoder, frame, valid, None)

    def _slots(self, states: Tensor, tokens: Picked, asked: Tensor) -> Tensor:
        """What the decoder starts from, [B, F, slots, D]: the picked patch where there is one, else the mask token."""
        vocabulary = self.vocabulary
        ids = torch.arange(vocabulary.finest.start if self.config.lean else 0, vocabulary.size, device=asked.device)
        matches = tokens.valid[:, None] & (tokens.frame[:, None] == asked[..., None])  # [B, F, N]
        place = torch.where(matches, tokens.ids[:, None], vocabulary.size)
        wide = self.mask_token[None].to(states.dtype)
        slots = wide.expand(*asked.shape, vocabulary.size + 1, -1)
        spread = states[:, None].expand(-1, asked.shape[1], -1, -1)
        slots = slots.scatter(2, place[..., None].expand_as(spread), spread)
        return slots[:, :, ids] + self._places_of(ids, asked[..., None])

    def _places_of(self, ids: Tensor, frame: Tensor) -> Tensor:
        """Where and when, for the decoder."""
        table = every_scale(self.decoder_positions, self.vocabulary.grids, self.config.flat_positions)
        where = table[ids] + self.decoder_scale_embed[self.vocabulary.scale_of(ids)]
        return where + self.decoder_time_embed[frame]

    def _decoder_mask(self, frame: Tensor, shown: Tensor, slot_frame: Tensor, past: Past | None) -> Tensor:
        """Bool [B, N, M + N] over what comes before, the picked patches and the slots."""
        real = torch.ones_like(slot_frame, dtype=torch.bool)
        mask = _seen(torch.cat([frame, slot_frame], 1), torch.cat([shown, real], 1), past)
        if self.config.lean and slot_frame.shape[1]:
            slots = slot_frame.shape[1]
            mask[:, :-slots, -slots:] = False
            mask[:, -slots:, -slots:] = slot_frame[:, :, None] == slot_frame[:, None]
        return mask

    def _check(self, pixels: Tensor, picked: Tensor) -> None:
        side, size = self.config.side, self.vocabulary.size
        if pixels.ndim != 5 or tuple(pixels.shape[2:]) != (3, side, side):
            raise ValueError(f"expected normalised frames [B, T, 3, {side}, {side}], got {list(pixels.shape)}")
        if tuple(picked.shape) != (*pixels.shape[:2], size):
            raise ValueError(f"expected picks {[*pixels.shape[:2], size]}, got {list(picked.shape)}")
        if pixels.shape[1] > self.config.frames:
            raise ValueError(f"this reconstructor takes up to {self.config.frames} frames, got {pixels.shape[1]}")


def places(keep: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the places i64 [B, N] of what bool [B, M] keeps, ascending and padded with 0.

    Also returns bool [B, N]: which of them are real.
    """
    count = keep.sum(1)
    most = int(count.max())
    order = keep.to(torch.uint8).argsort(dim=1, descending=True, stable=True)[:, :most]
    valid = torch.arange(most, device=keep.device) < count[:, None]
    return order.masked_fill(~valid, 0), valid


def _seen(frame: Tensor, valid: Tensor, past: Past | None) -> Tensor:
    """Bool [B, N, M + N]: those of no later frame that are real, and oneself."""
    own = valid[:, None] & (frame[:, None] <= frame[..., None])
    own = own | torch.eye(frame.shape[1], dtype=torch.bool, device=frame.device)
    if past is None:
        return own
    return torch.cat([past.valid[:, None] & (past.frame[:, None] <= frame[..., None]), own], 2)


def _start(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
