"""Ranks tokens by how well the first k of them stand for the whole group, for every k: greedy facility location.

    error(S) = sum_u w_u min(d(u, mean), min over v in S near u of d(u, v)) / sum_u w_u,   w = (a / mean a)^beta

In pixels (before the vision tower) or in features. `query` is a scorer, such as attention, that says how much each
token matters (a >= 0): it weights what has to be explained, and `alpha` of every prefix are its own best. score = N -
rank; `errors` is error(S) / error(nothing) of every prefix. Source: AutoGaze's objective (arXiv 2603.12254) without its
learned model; facility location, seeds and floor are ours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from framework.core.interfaces import TokenScorer
from framework.core.types import Scores
from framework.core.view import GroupView, Needs
from framework.ops.greedy.distances import SPACES, proxies
from framework.ops.greedy.facility import Facility, Reach
from framework.ops.greedy.ordering import Rules, greedy

SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)  # of the group's tokens: where the error is written down as a signal


@dataclass(frozen=True)
class Reconstruction(TokenScorer):
    """Ranks tokens by how well the first of them stand for the whole group.

    The score is N - rank, f32 [N], not comparable across groups. It is -inf where the prefix before was `enough`.
    """

    space: str
    side: int
    radius: int
    direction: str
    clip: int | None
    carry_over: bool
    floor: int
    tick_share: float | None
    query: TokenScorer | None
    beta: float
    alpha: float
    enough: float | None

    def __post_init__(self) -> None:
        _ = self.how  # wrong settings are refused now
        if self.space not in SPACES:
            raise ValueError(f"scorer.space must be one of {', '.join(SPACES)}, got {self.space!r}")
        if self.side < 1:
            raise ValueError(f"scorer.side must be >= 1 pixel, got {self.side}")
        if not 0 <= self.beta < math.inf:
            raise ValueError(f"scorer.beta must be a number >= 0, got {self.beta}")
        if self.query is None and (self.beta or self.alpha):
            raise ValueError(
                f"scorer.beta={self.beta} and scorer.alpha={self.alpha} weight and seed by scorer.query, which is "
                "null: choose one, e.g. +scorer@scorer.query=attention, or set both to 0"
            )

    @property
    def how(self) -> tuple[Reach, Rules]:
        """Says which tokens one may stand for, and what every prefix holds."""
        reach = Reach(self.radius, self.direction, self.clip, self.carry_over)
        return reach, Rules(self.floor, self.tick_share, self.alpha, self.enough)

    @property
    def blind(self) -> bool:  # type: ignore[override]
        """Says whether the question changes nothing, which is so without a query."""
        return self.query is None

    @property
    def before_tower(self) -> bool:  # type: ignore[override]
        """Says whether it works in the space of pixels, with no query or one that comes before the vision tower too."""
        return self.space == "pixels" and (self.query is None or self.query.before_tower)

    @property
    def explains(self) -> float:  # type: ignore[override]
        """Returns the relative error at which it is enough, or 0 where nothing is refused."""
        return self.enough or 0.0

    @property
    def needs(self) -> Needs:
        """Asks for pixels or for embeddings, depending on the space, and for what the query needs."""
        own = Needs(pixels=self.space == "pixels", tokens=self.space == "features")
        return own if self.query is None else own | self.query.needs

    @torch.no_grad()
    def score(self, view: GroupView) -> Scores:
        """Returns N - rank of each token, with the error of every prefix.

        The signals are the errors at some shares of the tokens, and the error that keeping nothing leaves.
        """
        layout, matters = view.layout, self._matters(view)
        usable = (matters > -math.inf).nonzero()[:, 0]  # i64 [M]
        values = torch.full((len(layout),), -math.inf)
        if len(usable) == 0:
            return Scores(values, errors=torch.zeros(1))  # nothing to explain
        matters = matters[usable]
        place = torch.stack([layout.tick, layout.row, layout.column]).cpu()[:, usable]
        weights = (matters / matters.mean()) ** self.beta if matters.any() else torch.ones_like(matters)
        facility = Facility(self._vectors(view)[usable], place, weights, self.space, self.how[0])
        order = greedy(facility, self.how[1], matters.argsort(descending=True, stable=True).numpy())
        ranked = usable[torch.from_numpy(order.tokens)]
        values[ranked] = torch.arange(len(layout), len(layout) - len(ranked), -1, dtype=torch.float32)
        errors, last = torch.from_numpy(order.relative).float(), len(order.tokens)
        at = {share: min(last, math.ceil(share * len(layout))) for share in SHARES}
        signals = {f"error_at_{share:g}": float(errors[k]) for share, k in at.items()}
        return Scores(values, {"error_of_nothing": float(order.errors[0]), **signals}, errors)

    def _vectors(self, view: GroupView) -> Tensor:
        """[N, D], what distances are measured on."""
        if self.space == "features":
            return view.tokens.embeddings
        cells = proxies(view.frames.pixels, view.layout.cell_pixels, self.side)  # [Tg, rows, columns, D]
        slot = torch.searchsorted(view.group.ticks.cpu(), view.layout.tick.cpu())
        return cells[slot, view.layout.row.cpu(), view.layout.column.cpu()]

    def _matters(self, view: GroupView) -> Tensor:
        """f32 [N] >= 0, or -inf where the query refuses a token."""
        if self.query is None:
            return torch.ones(len(view.layout))
        found = self.query.score(view).values.cpu()
        if bool(((found < 0) & (found > -math.inf)).any()):
            raise ValueError(
                f"scorer.query must give scores >= 0 to weight tokens by; {type(self.query).__name__} gave "
                f"{float(found[found > -math.inf].min()):.4g}. Choose another, e.g. attention"
            )
        return found
