"""One question while its video is being looked at.

In the end it gives candidates to the refiner and a trace to people.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from framework.core.outcome import GroupTrace, Offered, Trace
from framework.core.types import Candidates, Group, Question, ScoredGroup, Selection, Timeline
from framework.engine.gathering import in_order
from framework.engine.ledger import peak_bytes
from framework.engine.session import Session, best


@dataclass
class QuestionState:
    """Holds what one question has seen so far, and what it is about to keep."""

    question: Question
    remaining: list[Group]  # in index order
    visited: list[ScoredGroup] = field(default_factory=list)  # in visiting order
    quotas: list[int] = field(default_factory=list)  # one per visited group
    weights: list[float] = field(default_factory=list)  # each group's share of the budget
    places: dict[int, Tensor] = field(default_factory=dict)  # group index -> i64, its candidates' places in the layout

    def share_out(self, quotas: list[int], budget: int, overshoot: float, allocator: str) -> None:
        """Takes the quotas and picks the best overshoot x quota tokens of every group.

        Raises ValueError where the quotas break the contract: one per group, each within 0..usable, in sum at most
        `budget`.
        """
        self._check(quotas, budget, allocator)
        self.quotas = quotas
        self._take([math.ceil(overshoot * quota) for quota in quotas], [quota / budget for quota in quotas])

    def widen(self, counts: list[int], candidates: int, allocator: str) -> None:
        """Takes other candidates than those of the quotas: `candidates` in all, `counts` of them per group.

        Raises ValueError where the counts break the contract of quotas.
        """
        self._check(counts, candidates, allocator)
        self._take(counts, [count / candidates for count in counts])

    def _check(self, quotas: list[int], budget: int, allocator: str) -> None:
        within = all(0 <= quota <= seen.usable for quota, seen in zip(quotas, self.visited, strict=False))
        if len(quotas) != len(self.visited) or sum(quotas) > budget or not within:
            raise ValueError(f"{allocator} shared a budget of {budget} tokens as {quotas} (key: allocator)")

    def _take(self, counts: list[int], weights: list[float]) -> None:
        self.weights = weights
        visited = zip(self.visited, counts, strict=True)
        self.places = {seen.group.index: best(seen.scores, count) for seen, count in visited if count}

    def candidates(self, session: Session) -> Candidates:
        """Collects the best tokens of all visited groups, in temporal order, where the session makes tokens.

        Raises ValueError where there are none.
        """
        if not self.places:
            raise ValueError("no token is left to answer from: the scorer refused all of every group (key: scorer)")
        parts, group, score, weight = [], [], [], []
        for seen, share in zip(self.visited, self.weights, strict=True):
            if seen.group.index in self.places:
                places = self.places[seen.group.index]
                parts.append(session.held(seen.group, places))
                group.append(torch.full((len(places),), seen.group.index))
                score.append(seen.scores[places])
                weight.append(torch.full((len(places),), share))
        tokens, order = in_order(parts, session.device)
        return Candidates(
            tokens=tokens,
            group=torch.cat(group)[order],
            score=torch.cat(score)[order],
            weight=torch.cat(weight)[order],
            stride_seconds=_stride_seconds(session.timeline, [seen.group for seen in self.visited]),
            clock=session.timeline.seconds,
        )

    def trace(self, session: Session, selection: Selection | None) -> Trace:
        """Describes how the answer came about: every group, visited or not, and what it cost."""
        order = {seen.group.index: place for place, seen in enumerate(self.visited)}
        return Trace(
            groups=tuple(
                self._row(session.timeline, group, order.get(group.index), selection) for group in session.groups
            ),
            stages=session.ledger.of(self.question.id),
            tokens_seen=sum(session.encoded(seen.group) for seen in self.visited),
            tokens_total=session.tokens_per_tick * len(session.timeline),
            tokens_kept=len(selection) if selection else 0,
            frames_decoded=session.frames_decoded,
            peak_bytes=peak_bytes(),
            damaged_ticks=sum(session.damaged_ticks(seen.group) for seen in self.visited),
            offered=Offered(session.timeline.seconds, session.tick_layout),
        )

    def _row(self, timeline: Timeline, group: Group, place: int | None, selection: Selection | None) -> GroupTrace:
        seconds = timeline.seconds[group.ticks]
        span = (float(seconds[0]), float(seconds[-1]))
        if place is None:
            return GroupTrace(group.index, span, visited=None)
        seen = self.visited[place]
        return GroupTrace(
            index=group.index,
            seconds=span,
            visited=place,
            relevance=seen.relevance.value,
            raw=seen.relevance.raw,
            unit=seen.relevance.unit,
            signals=seen.signals,
            choice=seen.answer.choice if seen.answer else None,
            quota=self.quotas[place],
            kept=int((selection.group == group.index).sum()) if selection else 0,
        )


def _stride_seconds(timeline: Timeline, groups: list[Group]) -> float:
    """Typical distance in seconds between neighbouring ticks of one group (the G ticks of interleaved groups)."""
    steps = [timeline.seconds[group.ticks].diff() for group in groups if len(group) > 1]
    return float(torch.cat(steps).median()) if steps else timeline.seconds_per_tick
