"""The two stages of a gaze at a tiny size: two steps, interrupted and resumed, and their mistakes."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.singleton import Singleton

from framework.commands.train import run
from framework.config import plugins
from framework.config.build import ConfigError
from framework.config.identity import register_resolvers
from framework.core.errors import UsageError
from strategies.learned.autogaze.gaze import checkpoint
from strategies.learned.autogaze.gaze.calibration import Calibration
from strategies.learned.autogaze.reconstructor import checkpoint as reconstructors
from strategies.learned.autogaze.reconstructor.config import ReconstructorConfig
from strategies.learned.autogaze.reconstructor.model import Reconstructor
from strategies.learned.autogaze.training.grpo import GrpoModule
from strategies.learned.autogaze.training.initialisation import initialise
from strategies.learned.autogaze.training.ntp import NtpModule

JUDGE = ReconstructorConfig((32, 48), 16, 3, 16, 1, 2, 16, 16, 1, 2, 16, True, True, False)  # 13 ids
NETWORK = {"scales": "[32,48]", "width": 16, "layers": 1, "heads": 2, "ffn": 16, "heads_ahead": 3}
TINY: dict[str, Any] = {
    "recipe.frames": 3,
    "recipe.clips.count": 4,
    "recipe.clips.held_out": 2,
    "recipe.measure": "{budgets: [2], batch: 2}",
    "recipe.calibration": "{clips: 2, rows: 4, most: 4, batch: 2}",
    "recipe.schedule.steps": 2,
    "recipe.schedule.warmup": 1,
    "running.progress": "false",
    "running.save_every": 2,
    "running.measure_every": 2,
    "running.workers": 0,
} | {f"recipe.network.{key}": value for key, value in NETWORK.items()}
STAGES: dict[str, dict[str, Any]] = {
    "ntp": {"recipe.training.batch": 2},
    "grpo": {
        "recipe.training.rollouts": 3,
        "recipe.training.frames": 2,
        "recipe.training.most": 4,
        "recipe.start": "null",
    },
}
LOST = [[0.9, 0.5], [0.4], [0.7, 0.6, 0.3]]


@dataclass(frozen=True)
class Stage:
    """A stage in a folder that holds a reconstructor and labels."""

    root: Path

    def __call__(self, stage: str, name: str, **changes: Any) -> Path:
        """Run it; __ stands for the dots of a key."""
        typed = {**TINY, **STAGES[stage], "folder": self.root / name, "running.cache": self.root / "cache"}
        typed |= {"recipe.reconstructor": self.root, "recipe.clips.seed": 7}
        if stage == "ntp":
            typed["recipe.labels"] = f"[{self.root}/labels*.json]"
        typed |= {key.replace("__", "."): value for key, value in changes.items()}
        before = Singleton.get_state()
        GlobalHydra.instance().clear()
        try:
            with initialize_config_dir(config_dir=str(plugins.CONF), version_base="1.3"):
                words = [f"recipe=autogaze_{stage}", *(f"{key}={value}" for key, value in typed.items())]
                cfg = compose(config_name="train", overrides=words)
        finally:
            Singleton.set_state(before)
        return run(cfg)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    plugins.register()
    register_resolvers()
    torch.manual_seed(0)
    reconstructors.save(Reconstructor(JUDGE), tmp_path, {})
    picked = [[[1, 12], [13 + 4], [26 + 7, 26 + 8, 26]], [[3, 4], [13], [26 + 12, 26 + 2, 26 + 3]]]
    labels = {f"procedural/7/{n}.mp4": {"gazing_pos": ids, "task_losses": LOST} for n, ids in enumerate(picked)}
    labels["procedural/7/1.mp4"]["losses_before"] = [1.0, 0.6, 0.8]
    (tmp_path / "labels.json").write_text(json.dumps(labels))
    return Stage(tmp_path)


def curve(folder: Path, name: str) -> list[float]:
    files = sorted((folder / "curves").glob("*/metrics.csv"))
    rows = [row for file in files for row in csv.DictReader(file.read_text().splitlines())]
    return [float(row[name]) for row in rows if row.get(name)]


@pytest.mark.parametrize("name", ["ntp", "grpo"])
def test_two_steps(stage: Stage, name: str) -> None:
    folder = stage(name, "run")
    gaze, about = checkpoint.load(folder)
    start = dict(initialise(gaze.config, 0).named_parameters())
    assert gaze.config.vocabulary.size == 13
    assert {key for key, value in gaze.named_parameters() if torch.equal(value, start[key])} == set()
    assert all(bool(value.isfinite().all()) for value in gaze.parameters())
    assert about.notes["stage"] == name and about.notes["loss_space"] == "log" and about.calibration is not None
    recipe = about.notes["recipe"]
    assert (
        recipe["name"] == f"autogaze_{name}"
        and recipe["schedule"]["steps"] == 2
        and recipe["network"]["scales"] == [32, 48]
    )
    assert recipe["reconstructor"] == str(stage.root) and recipe["calibration"]["rows"] == 4
    table = Calibration.read(about.calibration)
    assert table.space == "log" and table.most == 4 and table.picks[0] == 4.0
    assert table.thresholds[0] <= table.loss_threshold(0.5) <= table.thresholds[-1]
    (row,) = [json.loads(line) for line in (folder.parent / "measured.jsonl").read_text().splitlines()]
    assert row["step"] == 2 and row["loss at 2"] > 0 and math.isfinite(row["off at 2"])


def test_a_curve_is_kept(stage: Stage) -> None:
    folder = stage("ntp", "run", recipe__schedule__steps=20).parent
    assert len(curve(folder, "train/loss")) == 2 and all(map(math.isfinite, curve(folder, "train/picks")))


@pytest.mark.parametrize(("name", "module"), [("ntp", NtpModule), ("grpo", GrpoModule)])
def test_an_interrupted_run_goes_on_to_the_same_weights(
    stage: Stage, name: str, module: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = checkpoint.load(stage(name, "whole", recipe__schedule__steps=4))
    learn: Callable[..., Any] = module.training_step  # type: ignore[attr-defined]

    def broken(self: Any, *given: Any) -> Any:
        if self.global_step == 3:
            raise OSError("pulled")
        return learn(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(module, "training_step", broken)
        with pytest.raises(OSError, match="pulled"):
            stage(name, "broken", recipe__schedule__steps=4)
    assert torch.load(stage.root / "broken" / "last.ckpt", weights_only=False)["global_step"] == 2
    seen: list[int] = []
    monkeypatch.setattr(module, "training_step", lambda self, *given: (seen.append(1), learn(self, *given))[1])
    resumed, _ = checkpoint.load(stage(name, "broken", recipe__schedule__steps=4))
    assert len(seen) == 2
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True))


def test_grpo_goes_on_from_ntp(stage: Stage) -> None:
    first = stage("ntp", "ntp")
    second = stage("grpo", "grpo", recipe__start=first, recipe__schedule__rate=1e-9, recipe__network__width=32)
    one, two = checkpoint.load(first)[0], checkpoint.load(second)[0]
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert checkpoint.read(second).notes["start"] == str(first)
    with pytest.raises(UsageError, match=r"recipe.training.loss_space: got plain, but .* was taught log"):
        stage("grpo", "other", recipe__start=first, recipe__training__loss_space="plain")


def test_losses_before_are_filled_in(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    learn = NtpModule.training_step
    monkeypatch.setattr(NtpModule, "training_step", lambda self, b, i: (seen.append(b.before), learn(self, b, i))[1])
    stage("ntp", "run", recipe__schedule__steps=1)
    (before,) = seen
    assert bool(before.isfinite().all())
    given = torch.tensor([1.0, 0.6, 0.8])
    assert sorted(torch.equal(row, given) for row in before) == [False, True]


@pytest.mark.parametrize(
    ("name", "change", "error", "said"),
    [
        (
            "ntp",
            {"recipe__labels": "[none/*.json]"},
            UsageError,
            "recipe.labels: no file matches none.*recipe=autogaze_labels",
        ),
        (
            "ntp",
            {"recipe__reconstructor": "none"},
            UsageError,
            "recipe.reconstructor: got none.*recipe=autogaze_reconstructor",
        ),
        ("ntp", {"recipe__network__scales": "[16,48]"}, UsageError, r"recipe.network.scales: .*\(16, 48\).*\(32, 48\)"),
        (
            "ntp",
            {"recipe__reconstructor": "null"},
            UsageError,
            "recipe.reconstructor: got None.*recipe=autogaze_reconstructor",
        ),
        ("ntp", {"recipe__labels": "none.json"}, UsageError, "recipe.labels: no file matches none.json"),
        ("ntp", {"recipe__calibration__most": 14}, UsageError, "recipe.calibration.most: got 14 picks .* 13 patches"),
        ("ntp", {"recipe__measure__budgets": "[1,14]"}, UsageError, "recipe.measure.budgets: got 14 picks"),
        ("ntp", {"recipe__measure__batch": 0}, ConfigError, "a batch of at least 1; got .* and 0"),
        ("ntp", {"recipe__schedule__warmup": 0}, ConfigError, "schedule.steps and .warmup must be at least 1"),
        ("grpo", {"recipe__training__most": 14}, UsageError, "recipe.training.most: got 14 picks"),
        ("ntp", {"recipe__frames": 0}, UsageError, "recipe.frames: got 0, the reconstructor takes 1 to 3"),
        ("ntp", {"recipe__frames": 4}, UsageError, "recipe.frames: got 4, the reconstructor takes 1 to 3"),
        ("ntp", {"recipe__clips__seed": 8}, UsageError, "none of the 2 labelled videos"),
        ("ntp", {"recipe__training__symmetry": "turned"}, ConfigError, "recipe.training.symmetry"),
        ("ntp", {"recipe__network__scales": "[30,48]"}, ConfigError, "gaze.scales must be multiples of the patch"),
        (
            "grpo",
            {"recipe__start": "none"},
            UsageError,
            "recipe.start: there is no none.*recipe=autogaze_ntp.*recipe.start=null",
        ),
        ("grpo", {"recipe__training__frames": 4}, UsageError, "recipe.training.frames: got 4 of clips of 3 frames"),
        ("grpo", {"recipe__training__rollouts": 1}, ConfigError, "at least 2 to be compared, got 1"),
    ],
)
def test_mistakes(stage: Stage, name: str, change: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        stage(name, "run", **change)
