"""A group while it is being looked at, and what is left of it afterwards. Knows no strategy and no video."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from framework.core.types import Frames, Layout, Question, ScoredGroup, Scores, Tokens
from framework.engine.session import best


@dataclass
class Shown:
    """Holds a group while it is being looked at, and what is left of it afterwards."""

    layout: Layout
    frames: Frames | None = None
    tokens: Tokens | None = None
    index: Tensor = field(
        default_factory=lambda: torch.zeros(0, dtype=torch.long)
    )  # i64, places of `tokens` in `layout`
    early: dict[str, Scores] = field(default_factory=dict)  # by question, for scorers that come before the vision tower
    encoded: int = 0  # tokens that went through the vision tower
    common: Scores | None = None  # of a scorer that is blind to the question

    def offered(self) -> Tensor:
        """Returns which tokens no scorer has refused for every question, bool [N]."""
        if not self.early:
            return torch.ones(len(self.layout), dtype=torch.bool)
        return torch.stack([scores.values > -math.inf for scores in self.early.values()]).any(0)

    def alike(self, asking: Sequence[Question]) -> list[list[Question]]:
        """Returns the questions, those together that refuse the same tokens before the language model."""
        alike: dict[bytes, list[Question]] = {}
        for question in asking:
            early = self.early.get(question.id)
            key = b"" if early is None else (early.values > -math.inf).numpy().tobytes()
            alike.setdefault(key, []).append(question)
        return list(alike.values())

    def kept(self, question: Question) -> tuple[Tensor, Tokens | None]:
        """Returns the places (i64 [n]) and the tokens that a question has not refused before the language model."""
        early = self.early.get(question.id)
        if self.tokens is None or early is None:
            return self.index, self.tokens
        mine = early.values[self.index] > -math.inf
        tokens = self.tokens if bool(mine.all()) else self.tokens[mine.to(self.tokens.tick.device)]
        return self.index[mine], tokens

    def spread(self, values: Tensor, index: Tensor) -> Tensor:
        """Returns f32 [n] at the places i64 [n] of f32 [N]; -inf elsewhere."""
        return torch.full((len(self.layout),), -math.inf).index_copy_(0, index, values)

    def park(self, limits: Sequence[tuple[ScoredGroup, int]]) -> None:
        """Keeps, on the CPU, just the tokens that are among the best that some question may still want."""
        assert self.tokens is not None
        mine = torch.zeros(len(self.index), dtype=torch.bool)
        for seen, count in limits:
            mine[best(seen.scores[self.index], count)] = True
        rows = mine.nonzero()[:, 0]
        self.tokens = self.tokens[rows.to(self.tokens.tick.device)].to("cpu")
        self.index = self.index[rows]

    def rows(self, group: int, places: Tensor) -> Tensor:
        """Returns the rows of the tokens at `places` (both i64 [K]). `group` is the index that an error tells.

        Raises RuntimeError where some are gone, for the allocator had said that fewer could be wanted.
        """
        rows = torch.searchsorted(self.index, places)
        if len(places) and not (
            len(self.index) and torch.equal(self.index[rows.clamp(max=len(self.index) - 1)], places)
        ):
            raise RuntimeError(
                f"group {group}: {len(places)} tokens are to be candidates, and some are not held any more: the "
                "allocator's `most` had said fewer (key: allocator)"
            )
        return rows
