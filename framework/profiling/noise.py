"""Pictures of noise and questions of a known length: what a bench asks about where decoding is not what it measures."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from framework.core.prompts import PromptTemplate
from framework.core.types import Question
from framework.lab.tokenizer import OTHER
from framework.video.info import VideoInfo
from framework.video.readers.base import Reader

DIFFERENT = 16  # pictures that are held; the frames of a film take turns with them
FPS = 4.0
OPTIONS = ("red", "blue", "green", "black")


@dataclass(frozen=True)
class NoiseReader(Reader):
    """Gives a film of `count` frames that are in memory already, whatever the path. Nothing is decoded."""

    count: int
    height: int
    width: int
    threads: int = 1

    @cached_property
    def pictures(self) -> Tensor:
        """Returns the pictures that take turns, u8 [16, 3, H, W], with colours last in memory as readers give them."""
        noise = torch.Generator().manual_seed(0)
        shape = (DIFFERENT, self.height, self.width, 3)
        return torch.randint(0, 256, shape, dtype=torch.uint8, generator=noise).permute(0, 3, 1, 2)

    def info(self, path: str) -> VideoInfo:
        """Returns facts about the film: four frames a second."""
        size = (self.height, self.width)
        return VideoInfo(path, np.arange(self.count) / FPS, *size, self.count / FPS, 0, False, size)

    def decode(
        self, path: str, frames: Sequence[int], damaged: set[int] | None = None
    ) -> Generator[tuple[int, Tensor], None, None]:
        """Yields (frame number, picture u8 [3, H, W]) for each of `frames`."""
        for number in frames:
            yield number, self.pictures[number % DIFFERENT]


def questions(count: int, words: int, template: PromptTemplate) -> list[Question]:
    """Makes `count` different questions of `words` words, with four options each."""
    known = OTHER.split()
    texts = [" ".join(known[(place + word) % len(known)] for word in range(words)) for place in range(count)]
    return [template.question(f"q{place}", text, OPTIONS) for place, text in enumerate(texts)]
