"""What runs and sweeps are called in W&B, by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from framework.trackers import About, Sweep
from framework.trackers.wandb_names import of_run, of_sweep, run_name

TYPED = (
    "preset=adapttoken",
    "benchmark=needle",
    "+budget=8",
    "tracker=wandb",
    "tracker.mode=offline",
    "progress=false",
)
PLACES = (
    "progress=false",
    "benchmark.folder=/films",
    "launcher=submitit",
    "world.devices=2",
    "~overlay",
    "reader.max_picture_pixels=9",
)
ALONE = About("abc", Path(), {"budget": 8}, "adapttoken", "", "needle", (*TYPED, *PLACES), {"preset": "adapttoken"})
SWEEP = Sweep("1a2b3c", "relevance", ("relevance", "allocator.temperature"), ("-m",), {"preset": "adapttoken"})


def test_alone_a_run_is_called_by_preset_benchmark_and_what_was_typed() -> None:
    assert run_name(ALONE) == "adapttoken on needle +budget=8 ~overlay"
    assert run_name(replace(ALONE, preset="", overrides=())) == "own choice on needle"
    found = of_run(ALONE, None, ["mine", "needle"])
    assert (found["id"], found["group"], found["job_type"]) == ("abc", "needle", "adapttoken")
    assert found["tags"] == ["mine", "needle", "adapttoken"] and found["notes"].startswith("preset=adapttoken ")


def test_in_a_sweep_a_run_is_called_by_what_was_chosen_for_it() -> None:
    words = ("relevance=margin", "preset=adapttoken", "allocator.temperature=0.15", "budget=8")
    found = of_run(replace(ALONE, overrides=words, ablation="relevance", sweep=SWEEP), None, [])
    assert found["name"] == "relevance=margin allocator.temperature=0.15"
    assert (found["id"], found["group"]) == ("abc-1a2b3c", "relevance-1a2b3c")
    assert found["tags"] == ["adapttoken", "needle", "relevance"]
    assert of_run(replace(ALONE, sweep=SWEEP), "own", [])["group"] == "own"


def test_the_configuration_has_choices_and_versions() -> None:
    about = replace(ALONE, choices={"relevance": "margin", "backbone": "lab"}, versions={"torch": "2", "commit": "f00"})
    expected = {
        "choices/relevance": "margin",
        "choices/backbone": "lab",
        "versions/torch": "2",
        "versions/commit": "f00",
    }
    assert of_run(about, None, [])["config"] == {"budget": 8, **expected}


def test_a_sweep_has_a_run_of_its_own_in_the_group_of_its_runs() -> None:
    found = of_sweep(replace(SWEEP, overrides=("ablation=relevance",), versions={"commit": "c0"}), None, ["mine"])
    assert (found["id"], found["group"], found["job_type"]) == ("1a2b3c", "relevance-1a2b3c", "sweep")
    assert found["name"] == "relevance: relevance, allocator.temperature" and found["tags"] == ["mine", "adapttoken"]
    facts = {"choices/preset": "adapttoken", "versions/commit": "c0"}
    assert found["config"] == {"swept": ["relevance", "allocator.temperature"], **facts}
    assert of_sweep(replace(SWEEP, keys=("preset",)), None, [])["tags"] == []


def test_names_are_cut_to_what_wandb_takes_and_a_group_keeps_its_id() -> None:
    long = replace(ALONE, preset="p" * 200, benchmark="b" * 200, overrides=())
    found = of_run(long, None, [])
    assert (len(found["name"]), len(found["group"]), len(found["job_type"])) == (128, 128, 64)
    assert found["tags"] == ["p" * 64, "b" * 64] and found["name"].endswith("p…")
    group = of_run(replace(long, sweep=replace(SWEEP, title="t" * 200)), None, [])["group"]
    assert group == "t" * 121 + "-1a2b3c"
