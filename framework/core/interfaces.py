"""The abstract interfaces: one method each, with the contract that every implementation must keep.

`framework/testing/contracts.py` checks the contracts on every option found in conf/. Training-free strategies are
frozen dataclasses, learned ones `nn.Module`s. No strategy holds the backbone or sees a configuration object; randomness
comes from a `seed` field. Research parameters have no default in code: their home is the yaml.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch

from framework.core.types import (
    Answer,
    Candidates,
    Frames,
    Group,
    Layout,
    Question,
    Relevance,
    ScoredGroup,
    Scores,
    Selection,
    Timeline,
    Tokens,
)
from framework.core.view import GroupView, Needs, Probe


class Strategy(ABC):  # noqa: B024
    """What all strategies share: they say what they must be shown."""

    @property
    def needs(self) -> Needs:
        """What the pipeline must compute for this strategy. Default: nothing."""
        return Needs()


class GroupSplitter(Strategy):
    """Cuts a timeline into groups.

    Contract: every tick lies in exactly one group; group `i` of the list has index `i`; deterministic; works for one
    tick and for any number of ticks.
    """

    @abstractmethod
    def split(self, timeline: Timeline) -> list[Group]:
        """The groups of `timeline` (T ticks)."""


class GroupScheduler(Strategy):
    """Chooses which group to look at next. Contract: returns one of `remaining`; deterministic."""

    @abstractmethod
    def next(self, visited: Sequence[ScoredGroup], remaining: Sequence[Group]) -> Group:
        """The next group. `visited` is in visiting order, `remaining` in index order and never empty."""


class TokenScorer(Strategy):
    """Ranks the tokens inside a group.

    Contract: one float32 per token of `view.layout`, finite or -inf (never keep); **higher = keep**; comparable within
    a group only, unless `comparable` is true; independent of other groups and of earlier videos. A greedy order is
    given as N - rank, so that every top-k is a prefix. With `blind` the question changes nothing, and all questions
    about a group share its scores. With `before_tower` it needs no more than pixels and the query; it is asked before
    the vision tower, which then skips the tokens that it refuses. `explains` is the relative error that the `errors` of
    every group come down to, None for a scorer that gives none.
    """

    comparable: bool = False
    blind: bool = False
    before_tower: bool = False
    explains: float | None = None

    @abstractmethod
    def score(self, view: GroupView) -> Scores:
        """Scores with values f32 [N]."""

    def flops(self, view: GroupView) -> float:
        """Estimated operations of the networks that `score(view)` runs, for the ledger. Default: it runs none."""
        return 0.0


class RelevanceEstimator(Strategy):
    """Says how relevant a group is to the question.

    Contract: **higher = more relevant**, comparable across groups, on entropy's scale: -ln(number of options) is a
    uniform response, 0 a certain one. Raw value and unit are kept.
    """

    @abstractmethod
    def relevance(self, view: GroupView) -> Relevance:
        """The relevance of `view.group` to `view.question`."""


class StoppingPolicy(Strategy):
    """Decides when the evidence is enough.

    Contract: a pure function of the groups visited so far (in visiting order) and of how many remain. Absolute
    thresholds read `signals`, not the relevance in use.
    """

    @abstractmethod
    def enough(self, visited: Sequence[ScoredGroup], remaining: int) -> bool:
        """Whether to stop now."""


class BudgetAllocator(Strategy):
    """Shares the budget between the visited groups.

    Contract: one quota per group, each within 0..usable; their sum is min(budget, usable total) exactly, unless `saves`
    is true; of two groups with equal scores the more relevant never gets less.
    """

    saves: bool = False

    def check(self, scorer: TokenScorer) -> None:
        """ValueError, naming both keys, where this scorer does not serve. Asked before a model is loaded."""

    @abstractmethod
    def allocate(self, groups: Sequence[ScoredGroup], question: Question, budget: int) -> list[int]:
        """Tokens to keep of each group."""


class TokenRefiner(Strategy):
    """Turns the over-selected candidates into the selection.

    Contract: receives the best overshoot x quota tokens of every group and returns at most `budget`, the sum of the
    quotas; may drop, merge
    (the position is that of a kept token) or re-encode; deterministic and permutation-equivariant.
    """

    overshoot: float  # >= 1; no default here, it would become a dataclass field's

    @abstractmethod
    def refine(self, candidates: Candidates, question: Question, budget: int) -> Selection:
        """At most `budget` of the C candidates, in temporal order."""

    def flops(self, candidates: Candidates, budget: int) -> float:
        """Estimated operations of the networks that `refine` runs, for the ledger. Default: it runs none."""
        return 0.0


class Answerer(Strategy):
    """Gives the answer. `final()` runs the model on the selection and costs a forward pass; voting never calls it."""

    @abstractmethod
    def answer(self, groups: Sequence[ScoredGroup], final: Callable[[], Answer]) -> Answer:
        """The answer to the question the groups were probed with."""


class Backbone(ABC):
    """Adapter around one multimodal LLM family.

    Contract: keeping *all* tokens reproduces the untouched model's logits; many questions at once equal one at a time;
    nothing of one video or question is left for the next; hooks are gone after an exception; no model class is patched.
    """

    frames_per_tick: int

    @abstractmethod
    def frame_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width in pixels that a frame of the given size is resized to before encoding."""

    @abstractmethod
    def layout(self, ticks: torch.Tensor, height: int, width: int) -> Layout:
        """The N tokens that encoding `ticks` (i64 [Tg], timeline indices) of resized frames would make. No pixels
        needed.
        """

    @abstractmethod
    def encode(self, frames: Frames, layout: Layout, keep: torch.Tensor | None = None) -> Tokens:
        """Vision tower and projector. `layout` is that of `frames`; `keep` (bool [N]) drops tokens, before the tower
        where possible; N = 0 tokens if none is kept.
        """

    @abstractmethod
    def probe(self, tokens: Tokens, questions: Sequence[Question], needs: Needs) -> list[Probe]:
        """One probe per question over the N tokens of a group (N = 0: no video, the prior). The visual prefix runs
        once.
        """

    @abstractmethod
    def query(self, question: Question) -> torch.Tensor:
        """f32 [L, D]: input embeddings of the bare question."""

    @abstractmethod
    def answer(self, selection: Selection, question: Question) -> Answer:
        """The model's answer from the kept tokens."""

    @abstractmethod
    def group_answer(self, probe: Probe, question: Question) -> Answer:
        """The answer that a group's own probe (with logits) amounts to."""

    @abstractmethod
    def forward(self, tokens: Tokens, question: Question, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Differentiable pass for training: loss over `labels` (i64 [R] response ids) and logits f32 [R, V]."""

    def lighten(self) -> bool:
        """Make passes smaller after running out of memory; False when they cannot be. Answers stay the same."""
        return False

    @abstractmethod
    def flops(self, stage: str, tokens: int) -> float:
        """Estimated operations of `stage` ("encode", "probe" or "answer") over `tokens` visual tokens."""
