"""A backbone without a network: what it gives is made beforehand, in the shapes of a real one.

What is left of the time of a run is the host's own work. Embeddings are alike as those of a video are: any two have a
cosine of about `alike`. Groups take different parts of one long strip, so that neighbours in time are not the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from framework.backbones.loading import DTYPES
from framework.core.backbone import Backbone
from framework.core.types import Answer, Frames, Layout, Question, Selection, Tokens
from framework.core.view import Needs, Probe
from framework.ops.certainty import certainty

CELL = 28  # pixels of a token's side, as in Qwen2.5-VL
STEP = 1009  # rows of the strip from one group to the next: no multiple of a tick
SHIFT = 509  # tokens from the attention of one question to that of the next
VARIANTS = 8  # of what a probe reveals
OPTION_IDS = torch.arange(4)


@dataclass(frozen=True)
class Shapes:
    """Holds the shapes of what a network gives. Raises ValueError, naming the key, for wrong ones."""

    rows: int  # of tokens in a frame
    columns: int
    width: int  # of an embedding
    heads: int  # of the attention that is captured
    text: int  # rows of text after the video
    vocabulary: int
    dtype: str  # of embeddings

    def __post_init__(self) -> None:
        for key, least in {"rows": 1, "columns": 1, "width": 1, "heads": 1, "text": 2, "vocabulary": 8}.items():
            if getattr(self, key) < least:
                raise ValueError(f"{key}: got {getattr(self, key)}, expected at least {least}")
        if self.dtype not in DTYPES:
            raise ValueError(f"dtype: got {self.dtype!r}, expected one of {', '.join(DTYPES)}")

    @property
    def item_bytes(self) -> int:
        """Returns the size of a number of an embedding."""
        return DTYPES[self.dtype].itemsize


@dataclass(frozen=True, eq=False)
class NullBackbone(Backbone):
    """Gives pre-made tensors of some shapes at once, on `device`.

    `most` is the number of tokens of the largest group, `groups` how many groups take different embeddings. `cell` is
    the side of a token in pixels; none of them is read.
    """

    shapes: Shapes
    most: int
    groups: int
    alike: float
    device: str = "cpu"
    cell: int = CELL

    frames_per_tick = 2

    @cached_property
    def strip(self) -> Tensor:
        """Returns the embeddings that groups take parts of, [most + (groups - 1) x STEP, D]."""
        noise = torch.Generator().manual_seed(0)
        shared = self.alike**0.5 * torch.randn(self.shapes.width, generator=noise)
        total, dtype = self.most + (self.groups - 1) * STEP, DTYPES[self.shapes.dtype]
        made = torch.empty(total, self.shapes.width, dtype=dtype)
        for part in made.split(4096):
            part.copy_(torch.randn(part.shape, generator=noise).mul_((1 - self.alike) ** 0.5).add_(shared))
        return made.to(self.device)

    @cached_property
    def attention(self) -> Tensor:
        """Returns attention that questions take different parts of, f32 [heads, L, most + (VARIANTS - 1) x SHIFT]."""
        noise = torch.Generator().manual_seed(1)
        shape = (self.shapes.heads, self.shapes.text, self.most + (VARIANTS - 1) * SHIFT)
        return torch.rand(shape, generator=noise).div_(self.most).to(self.device)

    @cached_property
    def logits(self) -> Tensor:
        """Returns logits that are uncertain to different degrees, f32 [VARIANTS, V]."""
        noise = torch.Generator().manual_seed(2)
        scale = torch.linspace(0.5, 4, VARIANTS)[:, None]
        return (scale * torch.randn(VARIANTS, self.shapes.vocabulary, generator=noise)).to(self.device)

    def prepare(self) -> None:
        """Makes all tensors now, so that no run has to."""
        _ = self.strip, self.attention, self.logits

    def frame_size(self, height: int, width: int) -> tuple[int, int]:
        """Returns the size of a frame that makes the tokens of the shapes, in pixels."""
        return self.shapes.rows * self.cell, self.shapes.columns * self.cell

    def layout(self, ticks: Tensor, height: int, width: int) -> Layout:
        """Returns the layout of the tokens of `ticks`: tick by tick, row by row."""
        sides = torch.arange(self.shapes.rows), torch.arange(self.shapes.columns)
        tick, row, column = torch.cartesian_prod(ticks.long(), *sides).T.contiguous()
        return Layout(tick, row, column, (self.cell, self.cell))

    def encode(self, frames: Frames, layout: Layout, keep: Tensor | None = None) -> Tokens:
        """Returns a part of the strip; which one, the first tick says. Pixels are not read."""
        start = int(layout.tick[0]) % self.groups * STEP
        embeddings = self.strip[start : start + len(layout)]
        seconds = frames.seconds.repeat_interleave(len(layout) // len(frames.seconds))
        if keep is not None:
            layout, seconds, embeddings = layout[keep], seconds[keep], embeddings[keep.to(self.device)]
        tick, row, column, times = (one.to(self.device) for one in (layout.tick, layout.row, layout.column, seconds))
        return Tokens(embeddings, tick, row, column, times)

    def probe(self, tokens: Tokens, questions: Sequence[Question], needs: Needs) -> list[Probe]:
        """Returns what was made beforehand: by the group, and by the place of a question among those that ask."""
        first = int(tokens.tick[0]) if len(tokens) else 0
        return [self._probe(len(tokens), first + number, needs) for number in range(len(questions))]

    def _probe(self, visual: int, variant: int, needs: Needs) -> Probe:
        start, text = variant % VARIANTS * SHIFT, self.shapes.text
        rows = {"question": torch.arange(text // 2), "question_end": torch.tensor([text // 2 - 1])}
        rows |= {
            "options": torch.arange(text // 2, text - 1),
            "template": torch.arange(0),
            "last": torch.tensor([text - 1]),
        }
        attention = self.attention[..., start : start + visual] if needs.attention else self.attention[..., :0]
        logits = self.logits[variant % VARIANTS][None] if needs.logits else None
        return Probe(rows, OPTION_IDS, dict.fromkeys(needs.attention, attention), logits, (0,) if needs.logits else ())

    def query(self, question: Question) -> Tensor:
        """Returns embeddings, f32 [L, D]."""
        return self.strip[: self.shapes.text].float()

    def answer(self, selection: Selection, question: Question) -> Answer:
        """Returns the same answer to every question."""
        return Answer("A", 0, (1.0, 0.0, 0.0, 0.0), 0.0)

    def group_answer(self, probe: Probe, question: Question) -> Answer:
        """Returns what a group's logits amount to, as the adapters of decoders read them."""
        known = certainty(probe)
        return Answer("A", known.top_option, known.options, known.entropies[0])

    def forward(self, tokens: Tokens, question: Question, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Raises TypeError: there is nothing to train."""
        raise TypeError("a backbone without a network has nothing to train")

    def encode_flops(self, tokens: int, per_tick: int) -> float:
        """Returns 0: no network runs."""
        return 0.0

    def probe_flops(
        self, tokens: int, questions: Sequence[Question], needs: Needs, seconds: Tensor | None = None
    ) -> float:
        """Returns 0: no network runs."""
        return 0.0

    def answer_flops(self, tokens: int, question: Question, seconds: Tensor | None = None) -> float:
        """Returns 0: no network runs."""
        return 0.0
