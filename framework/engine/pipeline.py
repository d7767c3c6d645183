"""The whole story on one page: split, look group by group, stop, share the budget, refine, answer.

    timeline -> groups -> [next group -> decode, encode, probe -> score, relevance -> enough?]
             -> quotas -> best tokens of every group -> selection -> answer

With a prober, all but the answer is its work: the backbone then sees the selected places again (`answering.py`).

Many questions about one video share decoding, encoding and the visual prefix of every group; sharing changes no answer.
This file knows no concrete strategy, no model and no benchmark.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, fields, replace
from functools import partial, reduce

import torch
from torch import Tensor

from framework.core.backbone import Backbone
from framework.core.interfaces import (
    Answerer,
    BudgetAllocator,
    GroupScheduler,
    GroupSplitter,
    RelevanceEstimator,
    StoppingPolicy,
    Strategy,
    TokenRefiner,
    TokenScorer,
)
from framework.core.interrupt import heed
from framework.core.outcome import Cost, Outcome
from framework.core.types import Answer, Candidates, Question, ScoredGroup, Selection
from framework.core.view import Needs
from framework.engine.answering import Answering
from framework.engine.ledger import Ledger
from framework.engine.live import LiveSession
from framework.engine.question_state import QuestionState
from framework.engine.session import OpenSession, Session, Setup
from framework.video.readers.base import Reader
from framework.video.sampling import Sampling

Progress = Callable[[str, int, int], None]  # stage, done, of how many


@dataclass(frozen=True)
class Pipeline:
    """Holds a backbone, eight strategies and a budget. `answer` does the rest."""

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
    open_session: OpenSession = LiveSession.open  # shows the video itself; others record it, or replay its recording
    prober: Backbone | None = None  # looks in the backbone's place, which then only answers
    offload: bool = False  # of prober and backbone, whichever does not work rests on the CPU

    def __post_init__(self) -> None:
        if self.prober is not None and self.prober.frames_per_tick != self.backbone.frames_per_tick:
            ticks = self.prober.frames_per_tick, self.backbone.frames_per_tick
            raise ValueError(f"prober: ticks of {ticks[0]} frames, and the backbone has ticks of {ticks[1]}")

    @property
    def needs(self) -> Needs:
        """Returns what must be computed of a group: the union of the needs of all strategies."""
        parts = (getattr(self, field.name) for field in fields(self))
        return reduce(Needs.__or__, (part.needs for part in parts if isinstance(part, Strategy)))

    @property
    def setup(self) -> Setup:
        """Returns what a session needs of this pipeline."""
        return Setup(
            self.prober or self.backbone,
            self.reader,
            self.sampling,
            self.splitter,
            self.scorer,
            self.relevance,
            needs=self.needs,
            stops=self.stopping.stops,
            most=lambda tokens_per_tick: math.ceil(self.refiner.overshoot * self._rounded(tokens_per_tick)),
        )

    def lighten(self) -> bool:
        """Makes passes smaller after running out of memory. Returns False when they cannot be smaller."""
        return any([model.lighten() for model in (self.prober, self.backbone) if model is not None])

    def answer(
        self,
        path: str,
        questions: Sequence[Question],
        progress: Progress | None = None,
        ledger: Ledger | None = None,
    ) -> list[Outcome]:
        """Answers questions about the video at `path`: one outcome per question, in the order asked.

        A `ledger` of the caller's then tells what they cost together. Raises VideoError for a bad file. Raises
        ValueError where there is no question, or where two have the same id.
        """
        names = [question.id for question in questions]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"at least one question, and ids of their own, are needed; got {names}")
        if not self.share and len(questions) > 1:
            return [outcome for question in questions for outcome in self.answer(path, [question], progress, ledger)]
        ledger = ledger or Ledger()
        self._turn(self.prober or self.backbone, names, ledger)
        with closing(self.open_session(self.setup, path, questions, ledger)) as session:
            second = None
            if self.prober is not None:
                second = Answering.open(replace(self.setup, backbone=self.backbone), session, self._rounded)
            states = [QuestionState(question, list(session.groups)) for question in questions]
            budget = self._rounded(session.tokens_per_tick) if second is None else second.budget_of_prober
            self._visit(session, states, budget, progress)
            for state in states:
                self._share_out(state, budget, ledger)
            session.secure(_union(states))
            if second is None:
                return [self._conclude(one, session) for one in states]
            places = [second.places(*self._refined(state, session)) for state in states]
            self._turn(self.backbone, names, ledger)
            seen = second.selections(list(zip(names, places, strict=True)))
            outcomes = [self._conclude(one, session, kept) for one, kept in zip(states, seen, strict=True)]
            return [replace(outcome, trace=second.trace(outcome.trace)) for outcome in outcomes]

    def _turn(self, works: Backbone, payers: Sequence[str], ledger: Ledger) -> None:
        """Lets one model work and the other rest, where one device has not room for both."""
        if self.offload:
            with ledger.stage("move", payers):
                for model in (self.prober, self.backbone):
                    if model is not None and model is not works:
                        model.rest()
                works.wake()

    def _visit(self, session: Session, states: Sequence[QuestionState], budget: int, progress: Progress | None) -> None:
        """Look at groups until every question has seen enough. Equal wishes share a pass."""
        still_open = list(states)
        wanted = partial(self._wanted, states, budget)
        while still_open:
            heed()
            wishes: dict[int, list[QuestionState]] = {}
            for state in still_open:
                wish = self.scheduler.next(state.visited, state.remaining)
                state.remaining = [group for group in state.remaining if group.index != wish.index]
                wishes.setdefault(wish.index, []).append(state)
            for index, asking in wishes.items():
                seen = session.at(session.groups[index], [state.question for state in asking])
                for state, scored in zip(asking, seen, strict=True):
                    state.visited.append(scored)
            still_open = [
                i for i in still_open if i.remaining and not self.stopping.enough(i.visited, len(i.remaining))
            ]
            session.release({group.index for state in still_open for group in state.remaining}, wanted)
            if progress is not None:
                progress("groups", max(len(state.visited) for state in states), len(session.groups))

    def _wanted(self, states: Sequence[QuestionState], budget: int) -> dict[int, list[tuple[ScoredGroup, int]]]:
        """Group index -> what it was to each question, and how many of its tokens can be candidates at most."""
        found: dict[int, list[tuple[ScoredGroup, int]]] = defaultdict(list)
        ahead = self.refiner.overshoot
        for state in states:
            if self.refiner.wider(budget) is None:
                counts = [math.ceil(ahead * most) for most in self._most(state, budget)]
            else:
                counts = self._most(state, math.ceil(ahead * budget))
            for seen, count in zip(state.visited, counts, strict=True):
                found[seen.group.index].append((seen, count))
        return found

    def _most(self, state: QuestionState, budget: int) -> list[int]:
        return self.allocator.most(state.visited, state.question, budget)

    def _rounded(self, tokens_per_tick: int) -> int:
        return self.allocator.rounded(self.budget, tokens_per_tick)

    def _share_out(self, state: QuestionState, budget: int, ledger: Ledger) -> None:
        """Share the budget between the groups that a question has visited, and what is over-selected beside it."""
        name = type(self.allocator).__name__
        with ledger.stage("allocate", [state.question.id]):
            quotas = self.allocator.allocate(state.visited, state.question, budget)
            state.share_out(quotas, budget, self.refiner.overshoot, name)
            if (wider := self.refiner.wider(sum(quotas))) is not None:
                state.widen(self.allocator.allocate(state.visited, state.question, wider), wider, name)

    def _refined(self, state: QuestionState, session: Session) -> tuple[Selection, Candidates]:
        """What the refiner leaves of a question's candidates, and these."""
        payers = [state.question.id]
        with session.ledger.stage("refine", payers, sum(map(len, state.places.values()))):
            candidates = state.candidates(session)
            spent = sum(state.quotas)  # less than the budget where the allocator saves
            selection = self.refiner.refine(candidates, state.question, spent)
        session.ledger.charge("refine", payers, Cost(flops=self.refiner.flops(candidates, spent)))
        return selection, candidates

    def _conclude(self, state: QuestionState, session: Session, seen: Selection | None = None) -> Outcome:
        """Answer from what was `seen` again, else from what is selected now; who votes asks for neither."""
        selections: list[Selection] = []
        question, payers = state.question, [state.question.id]

        def final() -> Answer:
            selection = self._refined(state, session)[0] if seen is None else seen
            selections.append(selection)
            flops = self.backbone.answer_flops(len(selection), question, self.backbone.shown_seconds(selection))
            with session.ledger.stage("answer", payers, len(selection), flops):
                return self.backbone.answer(selection, question)

        answer = self.answerer.answer(state.visited, final)
        selection = selections[0].to("cpu") if selections else None  # it may outlive the video by far
        return Outcome(question, answer, state.trace(session, selection), selection)


def _union(states: Sequence[QuestionState]) -> dict[int, Tensor]:
    """Group index -> ascending places that some question wants to keep."""
    wanted: dict[int, Tensor] = {}
    for state in states:
        for index, places in state.places.items():
            wanted[index] = torch.cat([wanted[index], places]).unique() if index in wanted else places
    return wanted
