"""The whole story on one page: split, look group by group, stop, share the budget, refine, answer.

    timeline -> groups -> [next group -> decode, encode, probe -> score, relevance -> enough?]
             -> quotas -> best tokens of every group -> selection -> answer

Many questions about one video share decoding, encoding and the visual prefix of every group; sharing changes no answer.
This file knows no concrete strategy, no model and no benchmark.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from framework.inquiry import Inquiry
from framework.interfaces import (
    Answerer,
    Backbone,
    BudgetAllocator,
    GroupScheduler,
    GroupSplitter,
    RelevanceEstimator,
    StoppingPolicy,
    Strategy,
    TokenRefiner,
    TokenScorer,
)
from framework.ledger import Ledger
from framework.look import Look
from framework.looking import Looking, Opening
from framework.outcome import Cost, Outcome
from framework.types import Answer, Question, Selection
from framework.video.readers.base import Reader
from framework.video.sampling import Sampling
from framework.view import Needs

Progress = Callable[[str, int, int], None]  # stage, done, of how many


@dataclass(frozen=True)
class Pipeline:
    """A backbone, eight strategies and a budget: `answer` does the rest."""

    splitter: GroupSplitter
    scheduler: GroupScheduler
    scorer: TokenScorer
    relevance: RelevanceEstimator
    allocator: BudgetAllocator
    refiner: TokenRefiner
    stopping: StoppingPolicy
    answerer: Answerer
    backbone: Backbone
    reader: Reader
    sampling: Sampling
    budget: int  # visual tokens kept in total
    share: bool  # whether questions about one video share the passes over it
    look: Opening = Look.open  # how a video is looked at: itself, recorded on the way, or its recording instead

    @property
    def needs(self) -> Needs:
        """What must be computed of a group: the union over all strategies."""
        strategies: list[Strategy] = [self.splitter, self.scheduler, self.scorer, self.relevance]
        strategies += [self.allocator, self.refiner, self.stopping, self.answerer]
        return reduce(Needs.__or__, (strategy.needs for strategy in strategies))

    @property
    def most(self) -> int:
        """Tokens of one group that a question can keep at most, before the refiner."""
        return math.ceil(self.refiner.overshoot * self.budget)

    def answer(self, path: str, questions: Sequence[Question], progress: Progress | None = None) -> list[Outcome]:
        """One outcome per question about the video at `path`, in the order asked. Raises VideoError for a bad file."""
        names = [question.id for question in questions]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"at least one question, and ids of their own, are needed; got {names}")
        if not self.share and len(questions) > 1:
            return [outcome for question in questions for outcome in self.answer(path, [question], progress)]
        ledger = Ledger()
        with closing(self.look(self, path, questions, ledger)) as look:
            inquiries = [Inquiry(question, list(look.groups)) for question in questions]
            self._visit(look, inquiries, progress)
            for inquiry in inquiries:
                self._share_out(inquiry, ledger)
            look.secure(_union(inquiries))
            return [self._conclude(inquiry, look) for inquiry in inquiries]

    def _visit(self, look: Looking, inquiries: Sequence[Inquiry], progress: Progress | None) -> None:
        """Look at groups until every question has seen enough. Equal wishes share a pass."""
        still_open = list(inquiries)
        while still_open:
            wishes: dict[int, list[Inquiry]] = {}
            for inquiry in still_open:
                wish = self.scheduler.next(inquiry.visited, inquiry.remaining)
                inquiry.remaining = [group for group in inquiry.remaining if group.index != wish.index]
                wishes.setdefault(wish.index, []).append(inquiry)
            for index, asking in wishes.items():
                seen = look.at(look.groups[index], [inquiry.question for inquiry in asking])
                for inquiry, scored in zip(asking, seen, strict=True):
                    inquiry.visited.append(scored)
            still_open = [
                i for i in still_open if i.remaining and not self.stopping.enough(i.visited, len(i.remaining))
            ]
            look.release({group.index for inquiry in still_open for group in inquiry.remaining})
            if progress is not None:
                progress("groups", max(len(inquiry.visited) for inquiry in inquiries), len(look.groups))

    def _share_out(self, inquiry: Inquiry, ledger: Ledger) -> None:
        """Share the budget between the groups that a question has visited."""
        with ledger.stage("allocate", [inquiry.question.id]):
            quotas = self.allocator.allocate(inquiry.visited, inquiry.question, self.budget)
            inquiry.share_out(quotas, self.budget, self.refiner.overshoot, type(self.allocator).__name__)

    def _conclude(self, inquiry: Inquiry, look: Looking) -> Outcome:
        """Refine the candidates and answer from what is left; an answerer that votes does neither."""
        selections: list[Selection] = []
        question, payers = inquiry.question, [inquiry.question.id]

        def final() -> Answer:
            with look.ledger.stage("refine", payers, sum(map(len, inquiry.places.values()))):
                candidates = inquiry.candidates(look, self.budget)
                spent = sum(inquiry.quotas)  # less than the budget where the allocator saves
                selection = self.refiner.refine(candidates, question, spent)
            look.ledger.charge("refine", payers, Cost(flops=self.refiner.flops(candidates, spent)))
            selections.append(selection)
            with look.ledger.stage("answer", payers, len(selection), self.backbone.flops("answer", len(selection))):
                return self.backbone.answer(selection, question)

        answer = self.answerer.answer(inquiry.visited, final)
        selection = selections[0] if selections else None
        return Outcome(question, answer, inquiry.trace(look, selection), selection)


def _union(inquiries: Sequence[Inquiry]) -> dict[int, Tensor]:
    """Group index -> ascending places that some question wants to keep."""
    wanted: dict[int, Tensor] = {}
    for inquiry in inquiries:
        for index, places in inquiry.places.items():
            wanted[index] = torch.cat([wanted[index], places]).unique() if index in wanted else places
    return wanted
