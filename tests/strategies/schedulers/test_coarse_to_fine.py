"""The order among braided groups, by hand."""

from __future__ import annotations

import torch

from framework.core.types import Group, Relevance, ScoredGroup, Timeline
from strategies.schedulers.coarse_to_fine import CoarseToFine
from strategies.splitters.braided import Braided


def order(relevance: dict[int, float], groups: list[Group]) -> list[int]:
    remaining, visited = list(groups), []
    while remaining:
        chosen = CoarseToFine().next(visited, remaining)
        visited.append(ScoredGroup(chosen, torch.zeros(1), Relevance(relevance[chosen.index], 0.0, "nats"), {}))
        remaining.remove(chosen)
    return [seen.group.index for seen in visited]


def test_a_strand_of_every_stretch_then_the_gaps_of_the_most_relevant() -> None:
    timeline = Timeline("v.mp4", torch.arange(12, dtype=torch.float64), torch.arange(12)[:, None])
    groups = Braided(2, strands=2).split(timeline)  # stretches of groups 0 1, 2 3, 4 5
    assert order({0: -1.3, 1: 0.0, 2: -0.2, 3: 0.0, 4: -0.9, 5: 0.0}, groups) == [0, 2, 4, 3, 5, 1]
    assert order(dict.fromkeys(range(6), -1.0), groups) == [0, 2, 4, 1, 3, 5]  # ties go to the lower index


def test_the_mean_of_all_visited_strands_counts() -> None:
    timeline = Timeline("v.mp4", torch.arange(12, dtype=torch.float64), torch.arange(12)[:, None])
    groups = Braided(2, strands=3).split(timeline)  # stretches of groups 0 1 2, 3 4 5
    # 0 and 3 first; 1 lies beside 0 (-0.1); then 2 beside 0 and 1 (mean -0.75) waits for 4 beside 3 (-0.5)
    assert order({0: -0.1, 1: -1.4, 2: 0.0, 3: -0.5, 4: -0.5, 5: 0.0}, groups) == [0, 3, 1, 4, 5, 2]


def test_contiguous_groups_come_in_natural_order() -> None:
    groups = [Group(i, torch.tensor([2 * i, 2 * i + 1])) for i in range(4)]
    assert order(dict.fromkeys(range(4), 0.0), groups) == [0, 1, 2, 3]
