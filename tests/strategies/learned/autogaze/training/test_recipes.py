"""The reconstructor and its labels at a tiny size: two steps, killed and resumed, and mistakes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.singleton import Singleton
from omegaconf import OmegaConf
from safetensors.torch import load_file

from framework.commands.train import run
from framework.config import plugins
from framework.config.build import ConfigError
from framework.config.identity import register_resolvers
from framework.core import model_files
from framework.core.errors import UsageError
from framework.report.film import Film
from strategies.learned.autogaze.reconstructor import checkpoint, official
from strategies.learned.autogaze.reconstructor.config import ReconstructorConfig
from strategies.learned.autogaze.reconstructor.model import Reconstructor
from strategies.learned.autogaze.training.label_files import read_labels
from strategies.learned.autogaze.training.recipes import load_reconstructor

NETWORK = {"scales": "[32,48]", "frames": 3, "width": 16, "layers": 1, "heads": 2, "hidden": 16, "decoder_width": 8,
           "decoder_layers": 1, "decoder_heads": 2, "decoder_hidden": 16}  # fmt: skip
COMMON: dict[str, Any] = {
    "recipe.clips.count": 4,
    "recipe.clips.held_out": 2,
    "running.progress": "false",
    "running.save_every": 2,
    "running.measure_every": 2,
    "running.measure_batches": 1,
    "running.workers": 0,
}
STAGES: dict[str, dict[str, Any]] = {
    "reconstructor": {
        "recipe.draw": "{clips: 4, groups: 2, rebuilt: 2, symmetry: square}",
        "recipe.clip_frames": 4,
        "recipe.schedule.steps": 2,
        "recipe.schedule.warmup": 1,
    }
    | {f"recipe.network.{key}": value for key, value in NETWORK.items()},
    "labels": {
        "recipe.frames": 3,
        "recipe.search": "{shortlist: [2,3], ratio: [0.2, 0.2], first: 3.0, rest: 1.0, most: 3, batch: 2}",
    },
}
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Stage:
    """A stage in a folder of its own, here or as the words of a command line."""

    root: Path

    def words(self, stage: str, name: str, **changes: Any) -> list[str]:
        """What is typed; __ stands for the dots of a key."""
        typed = {**COMMON, **STAGES[stage], "folder": self.root / name, "running.cache": self.root / "cache"}
        typed |= {key.replace("__", "."): value for key, value in changes.items()}
        return [f"recipe=autogaze_{stage}", *(f"{key}={value}" for key, value in typed.items())]

    def __call__(self, stage: str, name: str, **changes: Any) -> Path:
        """Run it here."""
        before = Singleton.get_state()
        GlobalHydra.instance().clear()
        try:
            with initialize_config_dir(config_dir=str(plugins.CONF), version_base="1.3"):
                cfg = compose(config_name="train", overrides=self.words(stage, name, **changes))
        finally:
            Singleton.set_state(before)
        return run(cfg)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    plugins.register()
    register_resolvers()
    return Stage(tmp_path)


def test_the_shipped_size_is_the_labs() -> None:
    node = OmegaConf.load(plugins.CONF / "recipe" / "autogaze_reconstructor.yaml")
    assert ReconstructorConfig.of(OmegaConf.to_container(node.network)) == ReconstructorConfig.lab()  # type: ignore[arg-type]
    assert node.schedule.steps >= 3000 and node.draw.clips == 32


def test_two_steps_move_every_parameter(stage: Stage) -> None:
    folder = stage("reconstructor", "two")
    network, header = checkpoint.load(folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        before = dict(Reconstructor(network.config).named_parameters())
    still = {name for name, value in network.named_parameters() if torch.equal(value, before[name])}
    # what every softmax cancels, and fixed tables
    assert still <= {"positions", "decoder_positions"} | {name for name in before if name.endswith("key.bias")}
    rows = [json.loads(row) for row in (folder.parent / "measured.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [2]
    assert set(rows[0]) == {"step", "loss at 5%", "loss at 10%", "loss at 20%"}
    assert all(0 < row < 5 for row in list(rows[0].values())[1:])
    assert header["notes"]["held out"]["loss at 10%"] == pytest.approx(rows[0]["loss at 10%"], abs=1e-4)
    recipe = header["notes"]["recipe"]
    assert recipe["draw"] == {"clips": 4, "groups": 2, "rebuilt": 2, "symmetry": "square"}
    assert (
        recipe["name"] == "autogaze_reconstructor"
        and recipe["clips"]["count"] == 4
        and recipe["schedule"]["steps"] == 2
    )


def test_videos_of_ones_own(stage: Stage) -> None:
    folders = {name: stage.root / "videos" / name for name in ("train", "test")}
    for shade, folder in enumerate(folders.values()):
        folder.mkdir(parents=True)
        for video in range(2):
            with Film(folder / f"{video}.mp4", 10.0) as film:
                for number in range(5):
                    film.add(np.full((48, 64, 3), 40 * number + 20 * video + shade, np.uint8))
    own = {"recipe__clips__folder": folders["train"], "recipe__clips__held_out_folder": folders["test"]}
    written = stage("reconstructor", "own", reader="pyav", **own)
    network, header = checkpoint.load(written)
    assert all(bool(value.isfinite().all()) for value in network.parameters())
    assert header["notes"]["recipe"]["clips"]["folder"] == str(folders["train"])
    assert header["notes"]["held out"]["loss at 20%"] > 0


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_weights(stage: Stage) -> None:
    whole = stage("reconstructor", "whole", recipe__schedule__steps=12)
    last = stage.root / "killed" / "last.ckpt"
    words = [sys.executable, "-m", "framework.cli", "train"]
    words += stage.words("reconstructor", "killed", recipe__schedule__steps=12)
    with subprocess.Popen(words, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not last.exists() and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL and not (last.parent / "checkpoint").exists()
    assert 0 < torch.load(last, weights_only=False)["global_step"] < 12
    resumed = stage("reconstructor", "killed", recipe__schedule__steps=12)
    one, two = (load_file(folder / checkpoint.FILE) for folder in (whole, resumed))
    assert one.keys() == two.keys() and all(torch.equal(one[key], two[key]) for key in one)


def test_labels_of_a_trained_reconstructor(stage: Stage) -> None:
    folder = stage("labels", "labels", recipe__reconstructor=stage("reconstructor", "first"))
    for name, count, seed in (("labels.json", 4, 3000), ("held_out.json", 2, 2000)):
        found = read_labels([str(folder / name)], 13, 3)
        assert sorted(found) == [f"procedural/{seed}/{index}.mp4" for index in range(count)]
    before = (folder / "labels.json").read_text()
    stage("labels", "labels", recipe__reconstructor=stage.root / "first" / "checkpoint")
    assert (folder / "labels.json").read_text() == before


def test_the_published_layout_serves_the_next_stages(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {"width": 16, "layers": 1, "heads": 2, "hidden": 16, "frames": 3, "scales": (32, 48)}
    sizes |= {"decoder_width": 8, "decoder_layers": 1, "decoder_heads": 2, "decoder_hidden": 16}
    tiny = replace(ReconstructorConfig.official(), **sizes)  # type: ignore[arg-type]
    monkeypatch.setattr(ReconstructorConfig, "official", lambda: tiny)
    torch.manual_seed(0)
    network = Reconstructor(tiny)
    torch.save(official.laid_out(network), stage.root / "videomae.pt")
    loaded = load_reconstructor(str(stage.root / "videomae.pt"), 3)
    assert not any(value.requires_grad for value in loaded.parameters())
    assert all(torch.equal(a, b) for a, b in zip(loaded.parameters(), network.parameters(), strict=True))
    folder = stage("labels", "labels", recipe__reconstructor=stage.root / "videomae.pt")
    assert len(read_labels([str(folder / "labels.json")], 13, 3)) == 4
    with pytest.raises(UsageError, match=r"recipe.reconstructor: .*none.pt does not exist: expected a published recon"):
        stage("labels", "mistake", recipe__reconstructor=stage.root / "none.pt")
    (stage.root / "other.pt").write_text("no weights")
    with pytest.raises(UsageError, match=r"recipe.reconstructor: .*other.pt"):
        stage("labels", "mistake", recipe__reconstructor=stage.root / "other.pt")


def test_an_asset_serves_the_next_stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_files, "ASSETS", tmp_path)
    config = ReconstructorConfig((32, 48), 16, 3, 16, 1, 2, 16, 16, 1, 2, 16, True, True, False)
    checkpoint.save(Reconstructor(config), tmp_path / "tiny", {})
    assert load_reconstructor("asset:tiny", 3).config == config


def test_mistakes_name_their_key(stage: Stage) -> None:
    for name, changes, error, said in (
        (
            "labels",
            {"recipe__reconstructor": stage.root / "none"},
            UsageError,
            "sieve train recipe=autogaze_reconstructor",
        ),
        ("labels", {"recipe__reconstructor": "null"}, UsageError, "recipe.reconstructor: got None"),
        ("labels", {"recipe__search__most": 0}, ConfigError, "recipe.search.*most, batch >= 1"),
        ("reconstructor", {"recipe__clip_frames": 2}, UsageError, "recipe.clip_frames: got 2, expected at least"),
        ("reconstructor", {"recipe__network__scales": "[32,50]"}, ConfigError, "gaze.scales"),
        ("reconstructor", {"recipe__draw__groups": 3}, ConfigError, "recipe.draw.groups must divide"),
        ("reconstructor", {"recipe__draw__symmetry": "cube"}, ConfigError, "recipe.draw.symmetry"),
        ("reconstructor", {"recipe__masks__ratio": "[0.5,0.1]"}, ConfigError, "recipe.masks.ratio"),
        ("reconstructor", {"recipe__draw__rebuilt": 0}, ConfigError, "recipe.draw.rebuilt must be at least 1, got 0"),
        ("reconstructor", {"recipe__draw__rebuilt": 9}, UsageError, "recipe.draw.rebuilt: got 9 of clips of"),
        ("reconstructor", {"recipe__clips__folder_fps": -3}, ConfigError, "recipe.clips.folder_fps must be above 0"),
        (
            "reconstructor",
            {"recipe__clips__folder": "x", "recipe__clips__held_out_folder": "x"},
            ConfigError,
            "recipe.clips.held_out_folder must differ",
        ),
        ("reconstructor", {"recipe__clips__folder": "x"}, ConfigError, "recipe.clips.held_out_folder go together"),
    ):
        with pytest.raises(error, match=said):
            stage(name, "mistake", **changes)
    first = stage("reconstructor", "first")
    with pytest.raises(UsageError, match=r"recipe.frames: got 4, the reconstructor takes 1 to 3"):
        stage("labels", "mistake", recipe__reconstructor=first, recipe__frames=4)
    few = {"recipe__reconstructor": first, "recipe__search__shortlist": "[1,0]", "recipe__search__most": 5}
    with pytest.raises(UsageError, match=r"recipe.search.most: got 5 picks of a frame.*\(1, 0\) tries have 4 patches"):
        stage("labels", "mistake", **few)
    assert not (stage.root / "mistake" / "labels.json").exists()
