"""The order as scores, by plain loops over pixels and embeddings; weights, seeds, floor and enough; refusals."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from omegaconf import DictConfig

from framework.config.build import ConfigError, build
from framework.core.interfaces import TokenScorer
from framework.core.types import Frames, Scores
from framework.core.view import GroupView, Needs
from framework.testing import toys
from strategies.scorers.reconstruction import Reconstruction

PLAIN: dict[str, Any] = {
    "space": "features", "side": 2, "radius": 0, "direction": "bidirectional", "clip": None, "carry_over": False,
    "floor": 0, "tick_share": None, "query": None, "beta": 0.0, "alpha": 0.0, "enough": None,
}  # fmt: skip


@dataclass(frozen=True)
class Given(TokenScorer):
    """Says what it was told."""

    values: tuple[float, ...]

    @property
    def needs(self) -> Needs:
        return Needs(attention=(3,))

    def score(self, view: GroupView) -> Scores:
        return Scores(torch.tensor(self.values))


def scorer(**changes: Any) -> Reconstruction:
    return Reconstruction(**{**PLAIN, **changes})


def vectors(view: GroupView, space: str, side: int) -> list[torch.Tensor]:
    """One per token, f64."""
    if space == "features":
        return list(view.tokens.embeddings.double())
    found, step = [], toys.CELL // side
    for n in range(len(view.layout)):
        frames = view.frames.pixels[n // 12].double() / 255  # [F, 3, H, W]
        y, x = int(view.layout.row[n]) * toys.CELL, int(view.layout.column[n]) * toys.CELL
        cell = frames[..., y : y + toys.CELL, x : x + toys.CELL]
        found.append(cell.unflatten(-1, (side, step)).unflatten(-3, (side, step)).mean((-3, -1)).flatten())
    return found


def error(view: GroupView, kept: list[int], space: str, weights: list[float], radius: int, side: int = 2) -> float:
    """The docstring's formula, in loops."""
    of = vectors(view, space, side)
    mean = torch.stack(of).mean(0)

    def distance(x: torch.Tensor, y: torch.Tensor) -> float:
        return 1 - float(x @ y / x.norm() / y.norm()) if space == "features" else float((x - y).abs().mean())

    total = 0.0
    for u, weight in enumerate(weights):
        near = [
            distance(of[u], of[v])
            for v in kept
            if abs(int(view.layout.row[u] - view.layout.row[v])) <= radius
            and abs(int(view.layout.column[u] - view.layout.column[v])) <= radius
        ]
        total += weight * min([distance(of[u], mean), *near])
    return total / sum(weights)


@pytest.mark.parametrize(("space", "radius"), [("features", 0), ("features", 1), ("pixels", 0), ("pixels", 1)])
def test_the_order_is_greedy_by_loops(space: str, radius: int) -> None:
    made = scorer(space=space, radius=radius)
    view = toys.view(made.needs, seed=2, ticks=3)
    scores = made.score(view)
    assert scores.values.sort(descending=True).values.tolist() == list(range(36, 0, -1))
    order = scores.values.argsort(descending=True).tolist()
    ones = [1.0] * 36
    nothing = error(view, [], space, ones, radius)
    assert scores.signals["error_of_nothing"] == pytest.approx(nothing, abs=1e-5)
    assert scores.errors is not None and len(scores.errors) == 37 and scores.errors[0] == 1.0
    for k in (1, 4, 36):
        found = error(view, order[:k], space, ones, radius) / nothing
        assert float(scores.errors[k]) == pytest.approx(found, abs=1e-4)
    best = min(error(view, [*order[:3], v], space, ones, radius) for v in order[3:])
    assert float(scores.errors[4]) == pytest.approx(best / nothing, abs=1e-4)
    assert scores.signals["error_at_0.1"] == float(scores.errors[4])  # ceil(3.6) tokens
    assert scores.signals["error_at_0.5"] == float(scores.errors[18])


def test_weights_are_a_power_of_what_the_query_says() -> None:
    given = tuple(torch.rand(24, generator=torch.Generator().manual_seed(0)).tolist())
    made = scorer(query=Given(given), beta=0.5)
    assert made.needs == Needs(tokens=True, attention=(3,))
    view = toys.view(made.needs, seed=4, ticks=2)
    scores = made.score(view)
    weights = [(a / (sum(given) / 24)) ** 0.5 for a in given]
    nothing, order = error(view, [], "features", weights, 0), scores.values.argsort(descending=True).tolist()
    assert scores.signals["error_of_nothing"] == pytest.approx(nothing, abs=1e-5)
    assert scores.errors is not None
    assert float(scores.errors[5]) == pytest.approx(error(view, order[:5], "features", weights, 0) / nothing, abs=1e-4)
    blind = scorer(query=Given(given)).score(view)
    assert torch.equal(blind.values, scorer().score(view).values) and blind.errors is not None
    assert not torch.equal(blind.values, scores.values)
    nobody = scorer(query=Given((0.0,) * 24), beta=0.5).score(view)  # a query that says nothing weights nothing
    assert torch.equal(nobody.values, blind.values)


def test_the_querys_best_are_half_of_every_prefix() -> None:
    given = torch.rand(24, generator=torch.Generator().manual_seed(1))
    made = scorer(query=Given(tuple(given.tolist())), alpha=0.5)
    order = made.score(toys.view(made.needs, seed=4, ticks=2)).values.argsort(descending=True).tolist()
    best = given.argsort(descending=True).tolist()
    for k in range(0, 24, 2):  # tokens 1, 3, 5, ..
        assert order[k] == next(token for token in best if token not in order[:k])
    assert order != best


def test_refused_tokens_are_never_kept_and_explain_nothing() -> None:
    given = [1.0] * 24
    given[0] = given[13] = -math.inf
    made = scorer(query=Given(tuple(given)), beta=1.0)
    view = toys.view(made.needs, seed=4, ticks=2)
    scores = made.score(view)
    assert (scores.values == -math.inf).nonzero()[:, 0].tolist() == [0, 13]
    assert scores.errors is not None and len(scores.errors) == 23 and scores.errors[-1] == 0.0
    none = scorer(query=Given((-math.inf,) * 24), beta=1.0).score(view)
    assert none.errors is not None and none.errors.tolist() == [0.0] and not bool(none.values.isfinite().any())


def test_a_still_video_is_its_first_tick_and_its_floor() -> None:
    made = scorer(space="pixels")
    view = toys.view(made.needs, ticks=4)
    pixels = view.frames.pixels[:1].expand(4, -1, -1, -1, -1)
    still = replace(view, shown_frames=Frames(pixels, view.frames.seconds))
    scores = made.score(still)
    assert sorted(scores.values.argsort(descending=True)[:12].tolist()) == list(range(12))
    assert scores.errors is not None and float(scores.errors[11]) > 0 and scores.errors[12:].tolist() == [0.0] * 37
    spared = scorer(space="pixels", enough=0.0).score(still)
    assert spared.values.isfinite().nonzero()[:, 0].tolist() == list(range(12))
    assert spared.errors is not None and torch.equal(spared.errors, scores.errors[:13])
    assert spared.signals["error_at_0.5"] == 0.0
    floored = scorer(space="pixels", enough=0.0, floor=1).score(still).values.isfinite().view(4, 12).sum(1)
    assert int(floored.min()) == 1


def test_a_part_of_a_group_is_placed_by_where_it_lies() -> None:
    """Tokens that were dropped before are neither explained nor kept."""
    for space in ("features", "pixels"):
        made = scorer(space=space, radius=1)
        full, kept = toys.view(made.needs, ticks=3), torch.tensor([0, 5, 6, 7, 17, 19, 30])
        tokens = full.shown_tokens[kept] if full.shown_tokens is not None else None
        part = replace(full, layout=full.layout[kept], shown_tokens=tokens)
        scores = made.score(part)
        assert sorted(scores.values.tolist()) == [1, 2, 3, 4, 5, 6, 7]
        assert scores.errors is not None and len(scores.errors) == 8 and scores.errors[-1] == 0.0


def test_variants_ask_for_what_they_read(composed: Callable[..., DictConfig]) -> None:
    def needs(option: str) -> Needs:
        return build(composed(f"scorer={option}").scorer, TokenScorer, "scorer").needs  # type: ignore[type-abstract]

    assert needs("reconstruction") == Needs(tokens=True)
    assert needs("reconstruction_pixels") == Needs(pixels=True)  # so that it runs before the vision tower
    assert needs("reconstruction_query") == Needs(tokens=True, attention=(2,))
    assert not scorer().comparable


def test_half_precision_features_and_a_single_token() -> None:
    view = toys.view(Needs(tokens=True), ticks=2)
    half = replace(view, shown_tokens=replace(view.tokens, embeddings=view.tokens.embeddings.bfloat16()))
    assert scorer().score(half).values.dtype == torch.float32
    one = replace(view, layout=view.layout[:1], shown_tokens=view.tokens[torch.tensor([0])])
    scores = scorer().score(one)
    assert scores.values.tolist() == [1.0] and scores.errors is not None and scores.errors.tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"space": "words"}, "scorer.space must be one of pixels, features, got 'words'"),
        ({"side": 0}, "scorer.side must be >= 1"),
        ({"radius": -1}, "scorer.radius must be >= 0"),
        ({"direction": "back"}, "scorer.direction must be one of bidirectional, causal"),
        ({"clip": 0}, "scorer.clip must be null or >= 1"),
        ({"floor": -1}, "scorer.floor must be >= 0"),
        ({"tick_share": 0.0}, "scorer.tick_share must be null"),
        ({"enough": 1.0}, "scorer.enough must be null"),
        ({"beta": math.nan}, "scorer.beta must be a number >= 0"),
        ({"beta": math.inf}, "scorer.beta must be a number >= 0"),
        ({"alpha": math.nan}, "scorer.alpha must be a share"),
        ({"alpha": 1.1}, "scorer.alpha must be a share"),
        ({"beta": 0.5}, r"scorer.query, which is null"),
    ],
)
def test_what_cannot_be(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        scorer(**changes)


def test_a_query_below_zero_is_told() -> None:
    made = scorer(query=Given((-0.5,) * 24), beta=0.5)
    with pytest.raises(ValueError, match=r"scorer.query must give scores >= 0 .*Given gave -0.5"):
        made.score(toys.view(made.needs, ticks=2))


def test_a_wrong_key_is_told_before_anything_is_loaded(composed: Callable[..., DictConfig]) -> None:
    node = composed("scorer=reconstruction", "scorer.alpha=0.5").scorer
    with pytest.raises(ConfigError, match=r"\+scorer@scorer.query=attention"):
        build(node, TokenScorer, "scorer")  # type: ignore[type-abstract]
