"""What the pipeline asks of whatever shows it the groups of a video: the video itself, or a recording of its probes.

Here is what both share: the view of a group that an estimator is shown, what it makes of it, the probe without video
and the embeddings of the question. Knows no concrete strategy, and nothing of how groups come to be seen.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from framework.core.backbone import Backbone
from framework.core.interfaces import GroupSplitter, RelevanceEstimator, TokenScorer
from framework.core.types import Frames, Group, Layout, Question, ScoredGroup, Scores, Timeline, Tokens
from framework.core.view import GroupView, Needs, Probe, shown_to
from framework.engine.ledger import Ledger
from framework.ops.certainty import signals
from framework.video.readers.base import Reader
from framework.video.sampling import Sampling


@dataclass(frozen=True)
class Setup:
    """Holds what a session needs of a pipeline: all that comes before the budget is shared."""

    backbone: Backbone  # that looks: the prober where there is one
    reader: Reader
    sampling: Sampling
    splitter: GroupSplitter
    scorer: TokenScorer
    relevance: RelevanceEstimator
    needs: Needs  # union over all strategies
    stops: bool  # whether groups may be left out
    most: Callable[
        [int], int
    ]  # tokens of one tick -> tokens of one group that a question can keep at most, however shared


# For each visited group: what it was to each question, and how many of its best tokens that one may still keep.
Wanted = Callable[[], Mapping[int, Sequence[tuple[ScoredGroup, int]]]]


@dataclass
class Session(ABC):
    """Defines how the groups of one video are shown while its questions are open."""

    setup: Setup
    timeline: Timeline
    groups: Sequence[Group]
    questions: Sequence[Question]
    ledger: Ledger
    frames_decoded: int = field(default=0, init=False)
    device: torch.device = field(default=torch.device("cpu"), init=False)  # where tokens are made, and refined
    _priors: dict[str, Probe] = field(default_factory=dict, init=False)
    _queries: dict[str, Tensor] = field(default_factory=dict, init=False)

    @abstractmethod
    def at(self, group: Group, asking: Sequence[Question]) -> list[ScoredGroup]:
        """Shows `group` to the questions `asking` and returns what it is to each of them, in the same order."""

    @abstractmethod
    def release(self, awaited: set[int], wanted: Wanted) -> None:
        """Tells the session that, of the groups looked at, only `awaited` (group indices) may still be asked for.

        Of the others no more is kept in the end than `wanted()` says at the last call.
        """

    @abstractmethod
    def secure(self, wanted: dict[int, Tensor]) -> None:
        """Tells the session that all looking is done.

        The tokens at `wanted` (group index -> i64 places) are about to be read.
        """

    @abstractmethod
    def held(self, group: Group, places: Tensor) -> tuple[Tokens, Tensor]:
        """Returns the tokens that are held of a visited group, on the CPU, and which of them are at `places`.

        `places` is i64 [K], ascending; so are the rows. Nothing is copied where the tokens are in memory. Raises an
        error where some are not held.
        """

    @abstractmethod
    def encoded(self, group: Group) -> int:
        """Counts the tokens of a visited group that went through the vision tower."""

    @abstractmethod
    def damaged_ticks(self, group: Group) -> int:
        """Counts the ticks of a visited group whose pictures were decoded from damaged data."""

    @property
    @abstractmethod
    def tick_layout(self) -> Layout:
        """Returns the grid of tokens that one tick makes."""

    @property
    def tokens_per_tick(self) -> int:
        """Returns how many visual tokens one tick makes."""
        return len(self.tick_layout)

    @abstractmethod
    def close(self) -> None:
        """Closes files, threads and spools."""

    def view(
        self,
        group: Group,
        question: Question,
        layout: Layout,
        frames: Frames | None = None,
        tokens: Tokens | None = None,
        probe: Probe | None = None,
    ) -> GroupView:
        """Returns the group as strategies see it: what some strategy asked for, nothing more."""
        return GroupView(
            group=group,
            question=question,
            layout=layout,
            seconds=self.timeline.seconds[group.ticks],
            shown_frames=frames if self.setup.needs.pixels else None,
            shown_tokens=tokens if self.setup.needs.tokens else None,
            shown_probe=probe,
            shown_query=self._query(question) if self.setup.needs.query else None,
            shown_prior=self._prior(question) if self.setup.needs.prior else None,
        )

    def conclude(self, view: GroupView, scores: Scores, probe: Probe | None) -> ScoredGroup:
        """Builds the scored group: its scores f32 [N] and its relevance.

        When logits were probed, it adds signals and the group's own answer.
        """
        logits = probe if probe is not None and probe.response_logits is not None else None
        if self.setup.needs.scores:
            view = replace(view, shown_scores=scores)
        with shown_to(self.setup.relevance):
            relevance = self.setup.relevance.relevance(view)
        return ScoredGroup(
            group=view.group,
            scores=scores.values,
            relevance=relevance,
            signals={**scores.signals, **(signals(logits) if logits else {})},
            answer=self.setup.backbone.group_answer(logits, view.question) if logits else None,
            comparable=self.setup.scorer.comparable,
            errors=scores.errors,
        )

    def _query(self, question: Question) -> Tensor:
        if question.id not in self._queries:
            self._queries[question.id] = self.setup.backbone.query(question)
        return self._queries[question.id]

    def _prior(self, question: Question) -> Probe:
        """What the model answers without any video, once per question."""
        if question.id not in self._priors:
            nothing = torch.zeros(0, dtype=torch.long)
            no_video = Tokens(torch.zeros(0, 0), nothing, nothing, nothing, torch.zeros(0, dtype=torch.float64))
            with self.ledger.stage("prior", [question.id]):
                self._priors[question.id] = self.setup.backbone.probe(no_video, [question], Needs(logits=True))[0]
        return self._priors[question.id]


OpenSession = Callable[[Setup, str, Sequence[Question], Ledger], Session]  # setup, path of the video, questions, ledger


def best(scores: Tensor, count: int) -> Tensor:
    """Returns the places of the `count` highest scores, in ascending order: f32 [N] -> i64 [<= count].

    Ties go to the lower place. A score of -inf is never taken.
    """
    if count >= len(scores):
        return (scores > -torch.inf).nonzero()[:, 0]
    if count <= 0:
        return torch.zeros(0, dtype=torch.long)
    last = scores.kthvalue(len(scores) - count + 1).values  # the lowest that is taken, -inf where all usable ones are
    taken = scores > last
    ties = ((scores == last) & (last > -torch.inf)).nonzero()[: count - int(taken.sum()), 0]
    return taken.index_fill_(0, ties, True).nonzero()[:, 0]


def check_scores(found: object, layout: Layout, scorer: TokenScorer) -> Scores:
    """Returns what a scorer gave. Raises ValueError where it is no `Scores`, or not one score for each token."""
    name = type(scorer).__name__
    if not isinstance(found, Scores):
        raise ValueError(
            f"{name}.score returned {type(found).__name__}, expected framework.Scores(values) with values f32 "
            f"[{len(layout)}] (key: scorer)"
        )
    if len(found.values) != len(layout):
        raise ValueError(f"{name} gave {len(found.values)} scores for {len(layout)} tokens (key: scorer)")
    return found


def on_host(found: Sequence[Scores]) -> list[Scores]:
    """Returns the same scores of one group, their values on the CPU. All of them come over in one transfer."""
    if all(scores.values.device.type == "cpu" for scores in found):
        return list(found)
    values = torch.stack([scores.values for scores in found]).cpu()
    return [replace(scores, values=mine) for scores, mine in zip(found, values.unbind(), strict=True)]
