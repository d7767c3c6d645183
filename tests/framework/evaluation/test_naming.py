"""Names tell runs apart by what differs, and differences list every key."""

from __future__ import annotations

from pathlib import Path

from framework.evaluation.naming import Difference, differences, name_runs
from framework.evaluation.runs import Run


def run(preset: str = "", *overrides: str, name: str = "", folder: str = "", versions: str = "1", **config: str) -> Run:
    identity = f"id{len(overrides)}"
    config = {key.replace("__", "."): value for key, value in config.items()}
    place = Path(folder or f"outputs/toy/{identity}")
    return Run(name, "toy", {}, {}, frozenset(), True, place, identity, preset, overrides, config, {"torch": versions})


def names(*parts: list[Run]) -> list[list[str]]:
    return [[one.name for one in part] for part in name_runs(parts)]


def test_presets_are_enough_where_they_differ() -> None:
    assert names([run("uniform", "preset=uniform", "budget=8"), run("random", "seed=1")]) == [["uniform", "random"]]


def test_typed_overrides_that_differ_come_next() -> None:
    part = [
        run("adapttoken", "preset=adapttoken", "budget=8", "benchmark.frames=64", "tracker=csv"),
        run("adapttoken", "relevance=margin", "budget=8", "benchmark.frames=99"),
        run("adapttoken", "budget=16", "+scorer@scorer.inner=random"),
        run("uniform"),
    ]
    assert names(part) == [
        [
            "adapttoken budget=8",
            "adapttoken budget=8 relevance=margin",
            "adapttoken budget=16 scorer@scorer.inner=random",
            "uniform",
        ]
    ]


def test_resolved_keys_where_nothing_was_typed() -> None:
    assert names([run("vote", budget="8", seed="0"), run("vote", budget="16", seed="0")]) == [
        ["vote budget=8", "vote budget=16"]
    ]


def test_folders_where_too_much_differs_and_numbers_at_last() -> None:
    many = {"a": "1", "b": "1", "c": "1", "d": "1"}
    two = [run("vote", folder="x/one", **many), run("vote", folder="x/two", **dict.fromkeys(many, "2"))]
    assert names(two) == [["vote one", "vote two"]]
    assert names([run("", folder="table/uniform"), run("", folder="table/random")]) == [["uniform", "random"]]
    assert names([run("vote", folder="x/one"), run("vote", folder="y/one")]) == [["vote one", "vote one (2)"]]


def test_one_configuration_has_one_name_on_every_benchmark() -> None:
    first = [run("a", "budget=8"), run("b")]
    second = [run("a", "budget=8"), run("a", "budget=9")]
    assert names(first, second) == [["a budget=8", "b"], ["a budget=8", "a budget=9"]]


def test_given_names_stay() -> None:
    assert names([run("a", name="ours"), run("a")]) == [["ours", "a"]]


def test_differences_name_keys_and_versions() -> None:
    reference = run("a", budget="8", stopping___target_="x.Never", same="1")
    other = run("b", name="other", budget="9", stopping__groups="2", same="1", versions="2")
    assert differences(other, reference, "toy") == [
        Difference("toy", "other", "budget", "8", "9"),
        Difference("toy", "other", "stopping._target_", "x.Never", "not set"),
        Difference("toy", "other", "stopping.groups", "not set", "2"),
        Difference("toy", "other", "versions.torch", "1", "2"),
    ]
