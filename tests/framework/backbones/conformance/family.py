"""What a family brings to be checked: a tiny checkpoint in its real layout, and what the stock model is called with.

Weights are random, biases and norms included, so that nothing which is forgotten stays hidden. Several query heads read
one key head, heads are wider than width / heads, the grid is not square, and times have different lengths as text.
"""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AutoModelForImageTextToText, PreTrainedTokenizerBase

from framework.backbones.base import DecoderBackbone
from framework.backbones.beside import quiet
from framework.core.types import Frames, Question, Selection, Tokens


@dataclass(frozen=True)
class Stock:
    """Holds what the stock model is called with for some frames and a question."""

    ids: Tensor  # i64 [1, S]
    tick: Tensor  # i64 [S], the tick that a place belongs to, text around its tokens included; -1: to none
    visual: Tensor  # bool [S]
    inputs: dict[str, Tensor]  # of its forward pass


@dataclass
class Family(ABC):
    """Defines a family of models under test."""

    name: str
    tolerance: float  # of logits of about 5
    changes: dict[str, Any] = field(default_factory=dict)  # of the adapter's keys
    height: int = 64
    width: int = 96
    frames_per_tick: int = 2
    first: float = 0.2  # seconds
    step: float = 1.3  # seconds a tick: 9.3 and 10.6 have different lengths as text

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Writes a checkpoint: configuration, weights, tokenizer, template and processor, as the Hub has them."""

    @abstractmethod
    def load(self, checkpoint: str, **changes: Any) -> DecoderBackbone:
        """Loads it through the adapter."""

    @abstractmethod
    def pieces(self, frames: Frames, question: Question) -> tuple[str, list[str], str]:
        """Returns the prompt that the stock processor would make: before the ticks, each tick, after them."""

    @abstractmethod
    def pixels(self, frames: Frames) -> dict[str, Tensor]:
        """Returns the pixels as the stock model takes them."""

    @abstractmethod
    def features(self, model: Any, frames: Frames) -> tuple[Tensor, dict[str, Tensor]]:
        """Returns what the stock model makes of the pixels: embeddings [N, D], and the extra of tokens."""

    @abstractmethod
    def positions(self, model: Any, asked: Stock) -> Tensor:
        """Returns the position ids that the stock model works out, i64 [A, S]."""

    def language(self, visual: Tensor, extra: dict[str, Tensor]) -> dict[str, Any]:
        """Returns what the stock language model is given beside embeddings, for `visual` (bool [S])."""
        return {}

    @cached_property
    def checkpoint(self) -> str:
        """Returns the folder of the tiny checkpoint, which goes with this process."""
        self._folder = tempfile.TemporaryDirectory(prefix="tokensieve-")
        with quiet():
            self.save(Path(self._folder.name))
        return self._folder.name

    @cached_property
    def adapter(self) -> DecoderBackbone:
        """Returns the adapter with the family's keys."""
        return self.load(self.checkpoint, **self.changes)

    def stock(self, attention: str = "sdpa") -> Any:
        """Returns the untouched model."""
        return _stock(self.checkpoint, attention)

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """Returns the tokenizer."""
        return self.adapter.tokenizer

    def film(self, ticks: int, seed: int = 0) -> Frames:
        """Returns ticks of random pixels."""
        generator = torch.Generator().manual_seed(seed)
        size = (ticks, self.frames_per_tick, 3, self.height, self.width)
        pixels = torch.randint(0, 256, size, generator=generator, dtype=torch.uint8)
        return Frames(pixels, self.first + self.step * torch.arange(ticks, dtype=torch.float64))

    def encoded(self, frames: Frames, ticks: Tensor | None = None, keep: Tensor | None = None) -> Tokens:
        """Returns the tokens of frames, whose timeline indices are 0, 1, ... if not given."""
        ticks = torch.arange(len(frames.pixels)) if ticks is None else ticks
        return self.adapter.encode(frames, self.adapter.layout(ticks, self.height, self.width), keep)

    def asked(self, frames: Frames, question: Question) -> Stock:
        """Returns what the stock model is called with."""
        head, ticks, tail = self.pieces(frames, question)
        whole = head + "".join(ticks) + tail
        read = self.tokenizer(whole, add_special_tokens=False, return_offsets_mapping=True)
        ids = torch.tensor([read["input_ids"]])
        begins = torch.tensor([begin for begin, _ in read["offset_mapping"]])
        ends = torch.tensor([len(piece) for piece in (head, *ticks)]).cumsum(0)
        labels = torch.searchsorted(ends, begins, right=True) - 1  # -1: the head
        labels[labels == len(ticks)] = -1
        visual = ids[0] == self.placeholder()
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), **self.pixels(frames)}
        return Stock(ids, labels, visual, inputs | self.marks(visual))

    def placeholder(self) -> int:
        """Returns the id that stands for a visual token in the stock prompt."""
        return int(self.adapter.model.config.video_token_id)

    def embedded(self, model: Any, asked: Stock) -> Tensor:
        """Returns the embeddings [S, D] of the prompt; those of visual tokens are anything."""
        found: Tensor = model.get_input_embeddings()(asked.ids[0])
        return found

    def stays(self, asked: Stock, keep: Tensor) -> Tensor:
        """Returns what is left of the prompt, bool [S], where `keep` (bool [T, cells]) says which tokens are."""
        stay = torch.isin(asked.tick, torch.tensor([-1, *keep.any(1).nonzero()[:, 0].tolist()]))
        stay[asked.visual] = keep.flatten()
        return stay  # a tick without a token vanished with its text

    def marks(self, visual: Tensor) -> dict[str, Tensor]:
        """Returns how the stock model is told where visual tokens are."""
        return {"mm_token_type_ids": 2 * visual[None].int()}

    def read(self, text: str) -> list[int]:
        """Returns the ids of text, special tokens included."""
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def rendered(self, question: Question, placeholder: str, **template: Any) -> tuple[str, str]:
        """Returns what the chat template writes before and after its placeholder for a video."""
        content = [{"type": "video"}, {"type": "text", "text": question.prompt}]
        whole = self.tokenizer.apply_chat_template(
            [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True, **template
        )
        assert whole.count(placeholder) == 1
        return tuple(whole.split(placeholder))  # type: ignore[return-value]

    def cells(self) -> int:
        """Counts the tokens of a tick."""
        return len(self.adapter.layout(torch.zeros(1, dtype=torch.long), self.height, self.width))


@lru_cache
def _stock(checkpoint: str, attention: str) -> Any:
    with quiet():
        return AutoModelForImageTextToText.from_pretrained(checkpoint, attn_implementation=attention).eval()


def selected(tokens: Tokens, clock: Tensor | None = None) -> Selection:
    """Returns a selection of all these tokens."""
    return Selection(tokens, torch.zeros(len(tokens), dtype=torch.long), len(tokens), clock)


def patches(frames: Frames, patch: int, merge: int, mean: Any, std: Any) -> Tensor:
    """Returns patches in the order of the stock processors of the Qwen families, by plain loops."""
    pixels = (frames.pixels.numpy() / 255 - np.array(mean)[:, None, None]) / np.array(std)[:, None, None]
    rows, columns = (side // (patch * merge) for side in pixels.shape[-2:])
    found = []
    for tick in pixels:
        for row in range(rows):
            for column in range(columns):
                for y in range(merge * row, merge * row + merge):
                    for x in range(merge * column, merge * column + merge):
                        cell = tick[:, :, patch * y : patch * (y + 1), patch * x : patch * (x + 1)]
                        found.append(cell.transpose(1, 0, 2, 3).ravel())
    return torch.from_numpy(np.stack(found)).float()


@torch.no_grad()
def roughen(model: Any, seed: int = 6) -> None:
    """Adds noise to what is zero or one at birth: biases and norms."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if name.endswith("bias") or "norm" in name:
            parameter += 0.2 * torch.randn(parameter.shape, generator=generator)


QUESTIONS = [
    Question(str(i), "\n".join([bare, *(f"{'ABC'[j]}. {text}" for j, text in enumerate(options))]), bare, options)
    for i, (bare, options) in enumerate(
        [
            ("what color is the star?", ("red", "blue", "green")),
            ("which shape is red?", ("star", "ring")),
            ("what happens first, and what happens after that?", ()),
        ]
    )
]
