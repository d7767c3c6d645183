"""Keys of typed overrides."""

from __future__ import annotations

import pytest

from framework.evaluation.typed import may_change_results, typed_key


@pytest.mark.parametrize(
    ("override", "key"),
    [("budget=8", "budget"), ("+x.y='a=b'", "x.y"), ("~overlay", "overlay"), ("++z=1", "z"), ("a@b.c=d", "a")],
)
def test_the_key_of_an_override(override: str, key: str) -> None:
    assert typed_key(override) == key


def test_which_keys_may_change_a_result() -> None:
    keep = ("budget", "benchmark", "benchmark.videos", "backbone.adapter.checkpoint", "relevance", "seed", "ablation")
    drop = ("tracker", "tracker.mode", "progress", "world.devices", "launcher", "hydra.run.dir", "benchmark.folder")
    assert all(map(may_change_results, keep))
    assert not any(map(may_change_results, (*drop, "benchmark.root", "record", "reader.max_picture_pixels")))
