"""The conformance kit: what every strategy must keep, checked on made-up values. For us and for third parties.

    from framework.testing.contracts import check_scorer
    check_scorer(MyScorer(...))          # raises ContractBroken with the sentence that does not hold

`tests/test_conf.py` runs it over every option found in conf/. Needs no test framework and no model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch

from framework.core.interfaces import (
    Answerer,
    BudgetAllocator,
    GroupScheduler,
    GroupSplitter,
    RelevanceEstimator,
    StoppingPolicy,
    TokenRefiner,
    TokenScorer,
)
from framework.core.types import Answer, Candidates, ScoredGroup, Scores, Timeline
from framework.core.view import MissingNeed
from framework.testing import toys


class ContractBroken(AssertionError):
    """Says that a strategy does not keep its interface's contract."""


def _hold(condition: bool, owner: object, sentence: str) -> None:
    if not condition:
        raise ContractBroken(f"{type(owner).__name__}: {sentence}")


@contextmanager
def _within_needs(owner: object) -> Iterator[None]:
    """ContractBroken where something is read that `needs` does not declare."""
    try:
        yield
    except MissingNeed as error:
        raise ContractBroken(f"{type(owner).__name__}: reads only what its `needs` declare: {error}") from error


def check_splitter(splitter: GroupSplitter, timelines: Sequence[Timeline] | None = None) -> None:
    """Checks a splitter: every tick in exactly one group, groups numbered in order, deterministic.

    It is checked for small and large numbers of ticks, one included.
    """
    for timeline in timelines or [toys.timeline(ticks) for ticks in (1, 2, 7, 8, 9, 64, 257)]:
        groups = splitter.split(timeline)
        ticks = torch.cat([g.ticks for g in groups]).sort().values
        _hold(
            torch.equal(ticks, torch.arange(len(timeline))),
            splitter,
            f"every one of {len(timeline)} ticks in exactly one group",
        )
        _hold([g.index for g in groups] == list(range(len(groups))), splitter, "group i of the list has index i")
        again = splitter.split(timeline)
        same = len(again) == len(groups) and all(
            torch.equal(a.ticks, b.ticks) for a, b in zip(groups, again, strict=True)
        )
        _hold(same, splitter, "splitting twice gives the same groups")


def check_scheduler(scheduler: GroupScheduler) -> None:
    """Checks a scheduler: it returns one of the remaining groups, so that each is visited once; deterministic."""
    for count in (1, 2, 7, 16):
        orders = []
        for _ in range(2):
            remaining = splitter_free_groups(count)
            visited: list[ScoredGroup] = []
            while remaining:
                group = scheduler.next(tuple(visited), tuple(remaining))
                _hold(any(g.index == group.index for g in remaining), scheduler, "returns one of `remaining`")
                remaining = [g for g in remaining if g.index != group.index]
                visited.append(toys.scored_group(group.index, 12, -1.2 * ((7 * group.index) % 5) / 5, seed=group.index))
            orders.append([s.group.index for s in visited])
        _hold(sorted(orders[0]) == list(range(count)), scheduler, "visits every group once")
        _hold(orders[0] == orders[1], scheduler, "the order is deterministic")


def splitter_free_groups(count: int) -> list[Any]:
    """Makes `count` groups of one tick."""
    return [toys.scored_group(i, 1, -1.0).group for i in range(count)]


def check_scorer(scorer: TokenScorer) -> None:
    """Checks a scorer: one number per token, deterministic, independent of what was scored before.

    The scorer reads only what it needs, and its errors come down as far as it says.
    """
    _hold(not scorer.needs.scores, scorer, "scores are what it makes: it cannot need them")
    late = [name for name in ("attention", "logits", "tokens", "prior") if getattr(scorer.needs, name)]
    _hold(
        not (scorer.before_tower and late),
        scorer,
        f"before_tower: it may need pixels and the query, nothing that comes after the tower; it needs {late}",
    )
    _hold(
        not (scorer.before_probe and scorer.needs.probe),
        scorer,
        "before_probe: it is asked before the language model, and may need neither attention nor logits",
    )
    for ticks in (1, 2, 5):
        first, other = (toys.view(scorer.needs, seed=seed, ticks=ticks) for seed in (0, 1))
        with _within_needs(scorer):
            scores = scorer.score(first)
        _hold(isinstance(scores, Scores), scorer, f"score returns framework.Scores, got {type(scores).__name__}")
        before, left, end = scores.values, scores.errors, scorer.explains
        _hold((left is None) is (end is None), scorer, "`explains` says whether `errors` are given")
        if left is not None and end is not None:
            _hold(float(left[-1]) <= end + 1e-6, scorer, f"errors come down to {end}, got {float(left[-1])}")
        _hold(
            before.shape == (len(first.layout),),
            scorer,
            f"one score per token: {len(first.layout)} expected, got {list(before.shape)}",
        )
        _hold(bool((before > -math.inf).any()), scorer, "at least one token may be kept")
        cost = scorer.flops(first)
        _hold(math.isfinite(cost) and cost >= 0, scorer, f"operations are finite and >= 0, got {cost}")
        if scorer.blind:
            asked = scorer.score(replace(first, question=toys.OPEN_QUESTION)).values
            _hold(torch.equal(before, asked), scorer, "blind: another question changes nothing")
        scorer.score(other)
        _hold(torch.equal(before, scorer.score(first).values), scorer, "scores do not depend on groups scored before")


def check_relevance(estimator: RelevanceEstimator) -> None:
    """Checks an estimator: higher = more relevant; at most 0, at least the uniform response's value; deterministic."""
    for question in (toys.QUESTION, toys.OPEN_QUESTION):
        views = [toys.view(estimator.needs, question=question, certainty=c) for c in (0.0, 1.0, 100.0)]
        with _within_needs(estimator):
            values = [estimator.relevance(view).value for view in views]
        _hold(
            values[0] <= values[2],
            estimator,
            f"a certain response is not less relevant than a uniform one, got {values}",
        )
        _hold(all(math.isfinite(v) for v in values), estimator, f"finite, got {values}")
        same = estimator.relevance(toys.view(estimator.needs, question=question, certainty=1.0)).value
        _hold(same == values[1], estimator, "the same view gives the same relevance")
        if estimator.needs.logits and not estimator.needs.prior:
            low = -math.log(toys.VOCABULARY)  # an estimator may judge the whole vocabulary, whatever the options
            _hold(low - 1e-5 <= values[0] and values[2] <= 1e-5, estimator, f"on the scale -ln n .. 0, got {values}")


def check_stopping(policy: StoppingPolicy) -> None:
    """Checks that a policy is a pure function of what was visited."""
    visited = [toys.scored_group(i, 12, -1.38 + 1.37 * (i % 4 == 3), seed=i, top_option=i % 2) for i in range(9)]
    for count in range(1, len(visited) + 1):
        seen = tuple(visited[:count])
        first = policy.enough(seen, len(visited) - count)
        _hold(isinstance(first, bool), policy, f"answers True or False, got {first!r}")
        _hold(policy.stops or not first, policy, "`stops = False` promises that it is never enough")
        policy.enough(tuple(visited[:1]), 8)
        _hold(policy.enough(seen, len(visited) - count) is first, policy, "the same groups give the same decision")


def check_allocator(allocator: BudgetAllocator) -> None:
    """Checks an allocator: quotas within 0..usable, exact in sum.

    The sum may be smaller where the allocator `saves`. The more relevant of two groups with equal scores never gets
    less. No group gets more in the end than `most` said when fewer groups had been visited.
    """
    for seed in range(20):
        noise = torch.Generator().manual_seed(seed)
        count = 1 + seed % 6
        relevances = (-1.386 * torch.rand(count, generator=noise)).tolist()
        sizes = torch.randint(1, 30, (count,), generator=noise).tolist()
        groups = [
            toys.scored_group(i, n, r, seed=i, refused=n // 4)
            for i, (n, r) in enumerate(zip(sizes, relevances, strict=True))
        ]
        usable = sum(g.usable for g in groups)
        for budget in (1, 5, usable, usable + 7):
            quotas = allocator.allocate(groups, toys.QUESTION, budget)
            _hold(len(quotas) == count, allocator, f"one quota per group, got {len(quotas)} for {count}")
            _hold(
                all(isinstance(k, int) and 0 <= k <= g.usable for k, g in zip(quotas, groups, strict=True)),
                allocator,
                f"0..usable: {quotas}",
            )
            spent = min(budget, usable)
            _hold(
                sum(quotas) == spent or (allocator.saves and sum(quotas) <= spent),
                allocator,
                f"spends {spent}, got {sum(quotas)}",
            )
            for visited in range(1, count + 1):
                most = allocator.most(groups[:visited], toys.QUESTION, budget)
                _hold(len(most) == visited, allocator, f"`most` has one number per group, got {len(most)}")
                for less in (budget, budget // 2, 1):
                    given = allocator.allocate(groups, toys.QUESTION, less)
                    _hold(
                        all(quota <= limit for quota, limit in zip(given, most, strict=False)),
                        allocator,
                        f"{given} in the end, when `most` had said {most} of the first {visited} groups",
                    )
        twins = [toys.scored_group(i, 12, r, seed=3) for i, r in enumerate(relevances)]
        for budget in (1, 7, 12 * count - 1):
            quotas = allocator.allocate(twins, toys.QUESTION, budget)
            ranked = [quota for _, quota in sorted(zip(relevances, quotas, strict=True))]
            _hold(
                ranked == sorted(ranked),
                allocator,
                f"the more relevant never gets less: {quotas} for relevances {relevances}",
            )


def check_refiner(refiner: TokenRefiner) -> None:
    """Checks a refiner: at most the budget, in temporal order, from the candidates; deterministic.

    The order of the candidates changes nothing. Embeddings stay those of the candidates unless it `remakes` them.
    """
    _hold(refiner.overshoot >= 1.0, refiner, f"overshoot >= 1, got {refiner.overshoot}")
    for count, budget in ((1, 1), (12, 12), (22, 20), (44, 40), (30, 7)):
        given = toys.candidates(count, seed=count)
        kept = refiner.refine(given, toys.QUESTION, budget)
        _hold(0 < len(kept) <= budget, refiner, f"1..{budget} tokens of {count}, got {len(kept)}")
        cost = refiner.flops(given, budget)
        _hold(math.isfinite(cost) and cost >= 0, refiner, f"operations are finite and >= 0, got {cost}")
        places = {tuple(p) for p in _places(given).tolist()}
        _hold(all(tuple(p) in places for p in _places(kept).tolist()), refiner, "every position is a candidate's")
        if not refiner.remakes:
            row = {tuple(place): at for at, place in enumerate(_places(given).tolist())}
            at = [row[tuple(place)] for place in _places(kept).tolist()]
            as_they_were = torch.equal(kept.tokens.embeddings, given.tokens.embeddings[at])
            _hold(as_they_were, refiner, "embeddings stay as they are where `remakes` is false")
        order = torch.randperm(count, generator=torch.Generator().manual_seed(budget))
        mixed = Candidates(
            given.tokens[order], given.group[order], given.score[order], given.weight[order], given.stride_seconds
        )
        again = refiner.refine(mixed, toys.QUESTION, budget)
        _hold(torch.equal(_places(kept), _places(again)), refiner, "the order of the candidates changes nothing")
        _hold(
            torch.allclose(kept.tokens.embeddings, again.tokens.embeddings),
            refiner,
            "embeddings do not depend on that order",
        )


def _places(value: Any) -> torch.Tensor:
    return torch.stack([value.tokens.tick, value.tokens.row, value.tokens.column], -1)


def check_answerer(answerer: Answerer) -> None:
    """Checks an answerer: it gives an answer, its probabilities sum to one, and it calls `final` at most once."""
    calls = []

    def final() -> Answer:
        calls.append(1)
        return Answer("B", 1, (0.1, 0.7, 0.1, 0.1), 0.9)

    groups = [toys.scored_group(i, 12, -0.2 - 0.1 * i, seed=i, top_option=i % 4) for i in range(5)]
    for count in (1, 5):
        calls.clear()
        answer = answerer.answer(groups[:count], final)
        _hold(answer.choice in range(4), answerer, f"chooses an option, got {answer}")
        _hold(math.isclose(sum(answer.probabilities), 1.0, abs_tol=1e-5), answerer, f"probabilities sum to 1: {answer}")
        _hold(len(calls) <= 1, answerer, "`final` is called at most once")


CHECKS: dict[str, Callable[[Any], None]] = {
    "splitter": check_splitter,
    "scheduler": check_scheduler,
    "scorer": check_scorer,
    "relevance": check_relevance,
    "allocator": check_allocator,
    "refiner": check_refiner,
    "stopping": check_stopping,
    "answerer": check_answerer,
}
