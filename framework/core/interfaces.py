"""The abstract interfaces of strategies: one method each, with the contract that every implementation must keep.

`framework/testing/contracts.py` checks the contracts on every option found in conf/. Training-free strategies are
frozen dataclasses, learned ones `nn.Module`s. No strategy holds the backbone or sees a configuration object; randomness
comes from a `seed` field. Research parameters have no default in code: their home is the yaml.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from framework.core.types import (
    Answer,
    Candidates,
    Group,
    Question,
    Relevance,
    ScoredGroup,
    Scores,
    Selection,
    Timeline,
)
from framework.core.view import GroupView, Needs


class Strategy(ABC):  # noqa: B024
    """Defines what all strategies share: they say what they must be shown."""

    @property
    def needs(self) -> Needs:
        """Returns what the pipeline must compute for this strategy. By default it is nothing."""
        return Needs()


class GroupSplitter(Strategy):
    """Cuts a timeline into groups.

    Contract: every tick lies in exactly one group. Group `i` of the list has index `i`. The result is deterministic. It
    works for one tick and for any number of ticks.
    """

    @abstractmethod
    def split(self, timeline: Timeline) -> list[Group]:
        """Cuts `timeline` (T ticks) into groups and returns them in index order."""


class GroupScheduler(Strategy):
    """Chooses which group to look at next. Contract: it returns one of `remaining` and is deterministic."""

    @abstractmethod
    def next(self, visited: Sequence[ScoredGroup], remaining: Sequence[Group]) -> Group:
        """Returns the group to look at next.

        `visited` is in visiting order. `remaining` is in index order and never empty.
        """


class TokenScorer(Strategy):
    """Ranks the tokens inside a group.

    Contract: it gives one float32 per token of `view.layout`, finite or -inf (never keep); **higher = keep**. Scores
    compare within a group only, unless `comparable` is true. They do not depend on other groups or on earlier videos. A
    greedy order is given as N - rank, so that every top-k is a prefix.

    With `blind` the question changes nothing, and all questions about a group share its scores. With `before_tower` the
    scorer needs no more than pixels and the query. It is then asked before the vision tower, which skips the tokens
    that it refuses. With `before_probe` it is asked before the language model, of which it needs nothing; a question is
    then probed on the tokens that are not refused for it. `explains` is the relative error that the `errors` of every
    group come down to. It is None for a scorer that gives no errors.
    """

    comparable: bool = False
    blind: bool = False
    before_tower: bool = False
    before_probe: bool = False
    explains: float | None = None

    @abstractmethod
    def score(self, view: GroupView) -> Scores:
        """Returns the scores of the group, values f32 [N]: one per token of `view.layout`."""

    def flops(self, view: GroupView) -> float:
        """Estimates the operations of the networks that `score(view)` runs, for the ledger.

        By default it runs none, and the result is 0.
        """
        return 0.0


@dataclass(frozen=True)
class ScorerAround(TokenScorer):
    """Defines a scorer that changes what another one says: it needs, costs and comes as early as that one."""

    inner: TokenScorer

    @property
    def comparable(self) -> bool:  # type: ignore[override]
        """Says whether scores compare across groups, as the inner scorer says."""
        return self.inner.comparable

    @property
    def blind(self) -> bool:  # type: ignore[override]
        """Says whether the question changes nothing, as the inner scorer says."""
        return self.inner.blind

    @property
    def before_tower(self) -> bool:  # type: ignore[override]
        """Says whether the inner scorer comes before the vision tower."""
        return self.inner.before_tower

    @property
    def before_probe(self) -> bool:  # type: ignore[override]
        """Says whether the inner scorer comes before the language model."""
        return self.inner.before_probe

    @property
    def needs(self) -> Needs:
        """Asks for what the inner scorer needs."""
        return self.inner.needs

    def flops(self, view: GroupView) -> float:
        """Estimates the operations of the inner scorer."""
        return self.inner.flops(view)


class RelevanceEstimator(Strategy):
    """Says how relevant a group is to the question.

    Contract: **higher = more relevant**, comparable across groups. The value is on entropy's scale: -ln(number of
    options) is a uniform response, 0 a certain one. The raw value and its unit are kept.
    """

    @abstractmethod
    def relevance(self, view: GroupView) -> Relevance:
        """Estimates the relevance of `view.group` to `view.question`."""


class StoppingPolicy(Strategy):
    """Decides when enough groups have been visited.

    Contract: the decision is a pure function of the groups visited so far (in visiting order) and of how many remain.
    Absolute thresholds read `signals`, not the relevance in use. With `stops = False` the answer is never yes: the
    engine then knows that it will look at every group.
    """

    stops: bool = True

    @abstractmethod
    def enough(self, visited: Sequence[ScoredGroup], remaining: int) -> bool:
        """Says whether to stop now. `remaining` is the number of groups that are not visited yet."""


class BudgetAllocator(Strategy):
    """Shares the budget between the visited groups.

    Contract: there is one quota per group, each within 0..usable. Their sum is exactly min(budget, usable total),
    unless `saves` is true. Of two groups with equal scores the more relevant never gets less.
    """

    saves: bool = False

    def rounded(self, budget: int, tokens_per_tick: int) -> int:
        """Returns the budget for a video whose ticks have `tokens_per_tick` tokens: by default as it is."""
        return budget

    def check(self, scorer: TokenScorer) -> None:
        """Checks, before a model is loaded, that this scorer suits the allocator.

        Raises ValueError, naming both keys, where it does not.
        """

    @abstractmethod
    def allocate(self, groups: Sequence[ScoredGroup], question: Question, budget: int) -> list[int]:
        """Returns the quotas: how many tokens to keep of each group, in the order of `groups`."""

    def most(self, groups: Sequence[ScoredGroup], question: Question, budget: int) -> list[int]:
        """Returns the largest quota that each of `groups` can have in the end, in the order of `groups`.

        In the end `groups` may be followed by any others, and the budget may be smaller. What is beyond is not held. By
        default a group may get the whole budget: min(usable, budget).
        """
        return [min(group.usable, budget) for group in groups]


class TokenRefiner(Strategy):
    """Turns the over-selected candidates into the selection.

    Contract: it receives the best overshoot x quota tokens of every group, or `wider` tokens in all. It returns at most
    `budget` tokens, the sum of the quotas. It may drop tokens, merge them (the position is that of a kept token) or
    re-encode them. It is deterministic and permutation-equivariant.
    """

    overshoot: float  # >= 1; no default here, it would become a dataclass field's

    @property
    def remakes(self) -> bool:
        """Says whether kept tokens get embeddings that the vision tower never made, so that places alone do not do.

        By default they do not.
        """
        return False

    def wider(self, budget: int) -> int | None:
        """Returns how many candidates there are in all, where the overshoot is taken once over the budget.

        None, the default: it is taken of every group's quota, rounded up. Never more than ceil(overshoot x budget).
        """
        return None

    @abstractmethod
    def refine(self, candidates: Candidates, question: Question, budget: int) -> Selection:
        """Keeps at most `budget` of the C candidates and returns them in temporal order."""

    def flops(self, candidates: Candidates, budget: int) -> float:
        """Estimates the operations of the networks that `refine` runs, for the ledger.

        By default it runs none, and the result is 0.
        """
        return 0.0


class Answerer(Strategy):
    """Gives the answer to a question.

    `final()` runs the model on the selection and costs a forward pass. Voting never calls it.
    """

    @abstractmethod
    def answer(self, groups: Sequence[ScoredGroup], final: Callable[[], Answer]) -> Answer:
        """Returns the answer to the question that the groups were probed with."""
