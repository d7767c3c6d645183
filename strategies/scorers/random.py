"""Scores tokens at random: what a ranking is worth shows only against this.

The numbers depend on the seed, the question and the group alone, never on which groups were visited before.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch

from framework.core.interfaces import TokenScorer
from framework.core.types import Scores
from framework.core.view import GroupView


@dataclass(frozen=True)
class Random(TokenScorer):
    """Scores tokens by a uniformly random permutation of 1..N. It needs nothing."""

    before_tower = True

    seed: int

    def score(self, view: GroupView) -> Scores:
        """Returns a permutation of 1..N, another one for every (seed, question id, group index)."""
        key = f"{self.seed}\n{view.group.index}\n{view.question.id}".encode()
        number = int.from_bytes(hashlib.blake2b(key, digest_size=7).digest(), "big")
        order = torch.randperm(len(view.layout), generator=torch.Generator().manual_seed(number))
        return Scores(order.float() + 1)
