"""Run identity and run folders."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from framework.config.groups import STRATEGIES
from framework.config.identity import KEYS, claim, identity, versions, whole
from framework.core.errors import UsageError


def config(**changes: object) -> DictConfig:
    base = {
        "budget": "${backbone.budget}",
        "backbone": {"budget": 32, "adapter": {"checkpoint": "asset:lab"}},
        "benchmark": {"name": "needle", "folder": "~/a", "videos": 8},
        "tracker": {"project": "x"},
        "seed": 0,
    }
    return OmegaConf.create({**base, **changes})


def test_identity_is_the_same_in_another_process_and_order() -> None:
    shuffled = OmegaConf.create(dict(reversed(list(config().items_ex(resolve=False)))))
    assert identity(shuffled) == identity(config())
    program = (
        "from omegaconf import OmegaConf; from framework.config.identity import identity; import sys;"
        "print(identity(OmegaConf.create(sys.argv[1])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, OmegaConf.to_yaml(config())], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == identity(config())


def test_tracker_and_places_do_not_count_but_results_do() -> None:
    mine = identity(config())
    assert len(mine) == 10
    assert identity(config(tracker={"project": "other"})) == mine
    assert identity(config(hydra={"run": {"dir": "x"}})) == mine
    assert identity(config(benchmark={"name": "needle", "folder": "/elsewhere", "videos": 8})) == mine
    assert identity(config(benchmark={"name": "needle", "folder": "~/a", "videos": 9})) != mine
    limits = {"max_picture_pixels": 9, "allow_playlists": True}
    assert identity(config(reader={"threads": 0})) == identity(config(reader={"threads": 0, **limits}))
    assert identity(config(reader={"threads": 0})) != identity(config(reader={"threads": 1}))
    assert identity(config(seed=1)) != mine
    assert identity(config(budget=32)) == mine  # the value counts, not how it was written
    assert identity(config(budget=33)) != mine


def test_what_a_run_does_not_use_changes_no_id(composed: Callable[..., DictConfig]) -> None:
    mine = identity(composed("preset=adapttoken"))
    with_node = composed("preset=adapttoken", "+acme={checkpoint: x, mode: y}", "+note=1")
    assert identity(with_node) == mine  # a root node that nothing reads
    for unused in ("qtsplus.checkpoint=random:3", "qtsplus.mode=compat", "autogaze.checkpoint=random:1"):
        assert identity(composed("preset=adapttoken", unused)) == mine, unused
    for used in ("relevance=margin", "scorer.heads=max", "frames=64", "backbone.prompt.cue=x", "share=false", "seed=1"):
        assert identity(composed("preset=adapttoken", used)) != mine, used
    learned = [identity(composed("preset=qtsplus", f"qtsplus.checkpoint=random:{seed}")) for seed in (0, 1)]
    assert learned[0] != learned[1]
    autogaze = [identity(composed("preset=autogaze", f"autogaze.checkpoint=random:{seed}")) for seed in (0, 1)]
    assert autogaze[0] != autogaze[1]


@pytest.mark.parametrize(
    ("key", "others"),
    [
        ("refiner.overshoot_of", "budget"),
        ("backbone.adapter.second_per_grid", 2.0),
        ("backbone.adapter.total_pixels", 90316800),
        ("backbone.adapter.told", "'{seconds:.0f} seconds'"),
        ("backbone.sampling.at", "middles"),
    ],
)
def test_a_key_that_came_later_counts_where_it_changes_something(
    composed: Callable[..., DictConfig], key: str, others: object
) -> None:
    words = ("preset=adapttoken", "backbone=qwen2_5_vl_7b")  # which has all of them as it was before
    cfg = composed(*words)
    mine, (parent, _, name) = identity(cfg), key.rpartition(".")
    assert identity(composed(*words, f"{key}={others}")) != mine
    OmegaConf.set_struct(cfg, False)
    del OmegaConf.select(cfg, parent)[name]  # as in the config.yaml of a run of before
    assert identity(cfg) == mine


def test_every_part_that_is_built_counts(composed: Callable[..., DictConfig]) -> None:
    """The keys of an id are those that `build_pipeline` and `sieve eval` read."""
    built = {*STRATEGIES, "backbone.adapter", "backbone.sampling", "backbone.prompt", "reader", "benchmark"}
    assert built | {"budget", "share"} <= set(KEYS)
    cfg = composed("preset=adapttoken")
    assert all(OmegaConf.select(cfg, key) is not None for key in built)


def test_a_folder_belongs_to_one_configuration(tmp_path: Path) -> None:
    claim(tmp_path / "run", config())
    claim(tmp_path / "run", config())
    about = json.loads((tmp_path / "run" / "run.json").read_text())
    assert about["id"] == identity(config()) and about["versions"]["torch"]
    assert OmegaConf.load(tmp_path / "run" / "config.yaml").budget == 32
    with pytest.raises(UsageError, match=r"another configuration.*hydra\.run\.dir"):
        claim(tmp_path / "run", config(seed=1))


@pytest.mark.parametrize("damaged", ["", "garbage", "[]", '{"versions": {}}', '{"id": "to'])
def test_a_damaged_description_is_written_again_where_the_configuration_is_whole(damaged: str, tmp_path: Path) -> None:
    claim(tmp_path, config())
    before = (tmp_path / "run.json").read_text()
    (tmp_path / "run.json").write_text(damaged)
    with pytest.raises(UsageError, match=r"run\.json is damaged"):
        claim(tmp_path, config(seed=1))
    assert (tmp_path / "run.json").read_text() == damaged
    claim(tmp_path, config())
    assert (tmp_path / "run.json").read_text() == before
    (tmp_path / "run.json").write_text(damaged)
    (tmp_path / "config.yaml").write_text("a: [")
    with pytest.raises(UsageError, match=r"run\.json is damaged"):
        claim(tmp_path, config())


def test_a_folder_of_before_goes_on(tmp_path: Path) -> None:
    claim(tmp_path, config())
    (tmp_path / "run.json").write_text(json.dumps({"id": identity(config())}))
    claim(tmp_path, config())


def test_whole_leaves_nothing_beside_when_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole(tmp_path / "a.json", "before")
    monkeypatch.setattr("os.fsync", lambda number: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        whole(tmp_path / "a.json", "after")
    assert [file.read_text() for file in tmp_path.iterdir()] == ["before"]


def test_versions_name_what_matters() -> None:
    assert {"python", "torch", "transformers", "hydra-core"} <= set(versions())
