"""What may be typed for `sieve threshold`, and which runs it means."""

from __future__ import annotations

import pytest
from omegaconf import OmegaConf

from framework.commands.threshold import run, words
from framework.commands.threshold_plan import planned
from framework.config.compose import compose_root
from framework.config.identity import identity
from framework.core.errors import UsageError


def test_presets_become_a_list() -> None:
    assert words(["budget=16", "preset=uniform,adapttoken"]) == [
        *("budget=16", "preset=uniform", "presets=[uniform,adapttoken]")
    ]
    assert words(["preset=[uniform,random]"])[-1] == "presets=[uniform,random]"
    assert words(["--help"]) == ["--help"]


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ([], "preset: got none"),
        (["preset=uniform", "preset=random"], "preset: got uniform and random"),
        (["preset=uniform,unifrom"], "preset: got 'unifrom', expected names out of adapttoken, "),
        (["preset=uniform,uniform"], "expected every preset once"),
        (["preset=uniform", "seed=3"], r"seed: got seed=3, .*expected seeds=\[0,1\]"),
        (["preset=uniform", "benchmark.opacity=.1"], r"benchmark.opacity: got .*expected opacities="),
        (["-m", "preset=uniform"], "-m: "),
    ],
)
def test_words_that_mean_nothing(typed: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        words(typed)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"opacities": [0.1, 0.3]}, "opacities: got .* at least 3"),
        ({"opacities": "much"}, "opacities: got much"),
        ({"opacities": [0.1, "a", 1]}, "opacities: got .* numbers"),
        ({"opacities": [0.1, 1, 0.3]}, "ascend"),
        ({"opacities": [0, 0.3, 1]}, "above 0"),
        ({"opacities": [0.1, 0.3, 1.5]}, "up to 1"),
        ({"seeds": [1, 1]}, "seeds: got .* different"),
        ({"seeds": 1}, "seeds: got 1"),
        ({"resamples": 5}, "resamples: got 5"),
        ({"benchmark": {"name": "lvbench"}}, "benchmark: got lvbench, whose evidence has no opacity"),
    ],
)
def test_values_that_cannot_be_measured(changes: dict[str, object], message: str) -> None:
    right = {"opacities": [0.1, 0.3, 1], "seeds": [0], "resamples": 200, "benchmark": {"name": "needle", "opacity": 1}}
    with pytest.raises(UsageError, match=message):
        run(OmegaConf.create({**right, **changes}))


def test_a_run_is_the_one_of_sieve_eval() -> None:
    found = planned(["uniform", "random"], [0.05, 1.0], [7], ["budget=8"])
    assert [(one.preset, one.opacity, one.seed) for one in found] == [
        *(("uniform", 0.05, 7), ("random", 0.05, 7), ("uniform", 1.0, 7), ("random", 1.0, 7))
    ]
    typed = compose_root(["preset=random", "budget=8", "benchmark.opacity=.05", "seed=7"])
    assert identity(found[1].cfg) == identity(typed)
    assert len({identity(one.cfg) for one in found}) == 4
    plain = compose_root(["preset=uniform", "budget=8", "seed=7"])
    assert identity(found[2].cfg) == identity(plain)  # the needles' usual opacity is 1
