"""A stranger's package adds a scorer, a recipe and a sub-command; nothing of ours is touched."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from framework.commands import catalogue
from framework.config import plugins
from framework.core.weight_files import header

ROOT = Path(__file__).parents[3]
PACKAGE = {
    "pyproject.toml": """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "acme-scorers"
version = "1.0"
[project.entry-points."tokensieve.conf"]
acme = "acme_scorers.conf"
[project.entry-points."tokensieve.commands"]
acme = "acme_scorers.command:ACME"
lost = "acme_scorers.nowhere:LOST"
[tool.setuptools]
packages = ["acme_scorers", "acme_scorers.conf", "acme_scorers.conf.scorer", "acme_scorers.conf.preset",
    "acme_scorers.conf.recipe"]
[tool.setuptools.package-data]
"*" = ["*.yaml"]
""",
    "acme_scorers/__init__.py": "",
    "acme_scorers/center.py": '''
"""Tokens near the middle of the picture first."""
from dataclasses import dataclass
from framework.core.interfaces import TokenScorer
from framework.core.types import Scores
from framework.core.view import GroupView

@dataclass(frozen=True)
class Center(TokenScorer):
    strength: float

    def score(self, view: GroupView) -> Scores:
        row, column = view.layout.row.float(), view.layout.column.float()
        return Scores(-self.strength * ((row - row.mean()).abs() + (column - column.mean()).abs()))
''',
    "acme_scorers/recipe.py": '''
"""A line through points, trained by the fit that all recipes share."""
from dataclasses import dataclass
from pathlib import Path
import lightning, torch
from framework import TrainingRecipe
from framework.core.weight_files import save_weights
from framework.training.fit import Fit, fit
from framework.training.schedule import Schedule, optimizer

@dataclass(frozen=True)
class Points:
    slope: float

class Line(lightning.LightningModule):
    def __init__(self, schedule):
        super().__init__()
        self.line, self.schedule = torch.nn.Linear(1, 1), schedule

    def training_step(self, batch, index):
        x, y = batch
        return (self.line(x) - y).square().mean()

    def configure_optimizers(self):
        return optimizer(self.line, self.schedule)

@dataclass(frozen=True)
class LineRecipe(TrainingRecipe):
    name: str
    schedule: Schedule
    points: Points

    def train(self, workshop):
        torch.manual_seed(workshop.seed)
        module = Line(self.schedule)
        def make(generator, step):
            x = torch.from_numpy(generator.normal(size=(8, 1))).float()
            return x, self.points.slope * x
        fit(module, make, None, Fit(self.schedule, (workshop.seed,)), workshop.running)
        folder = workshop.running.folder / "checkpoint"
        save_weights(module.line.state_dict(), folder / "line.safetensors", "line", {"recipe": workshop.settings})
        return folder
''',
    "acme_scorers/command.py": '''
"""A sub-command of its own."""
from framework.commands.command import Command

ACME = Command(name="acme", target="acme_scorers.command:run", config="acme", summary="says a word",
               text="Says the word.", examples=(("sieve acme word=hello", "says hello"),), texts=("word",))

def run(cfg):
    print(f"acme says {cfg.word}")
''',
    "acme_scorers/conf/__init__.py": "",
    "acme_scorers/conf/recipe/__init__.py": "",
    "acme_scorers/conf/acme.yaml": "word: nothing   # what is said\nhydra: {run: {dir: .}, output_subdir: null}\n",
    "acme_scorers/conf/recipe/acme.yaml": """_target_: acme_scorers.recipe.LineRecipe
name: acme
schedule: {steps: 2, rate: 0.1, warmup: 1, floor: 1.0, weight_decay: 0.0, clip: 1.0}
points: {slope: 3}
""",
    "acme_scorers/conf/scorer/__init__.py": "",
    "acme_scorers/conf/preset/__init__.py": "",
    "acme_scorers/conf/scorer/acme_center.yaml": "_target_: acme_scorers.center.Center\nstrength: 1.0\n",
    "acme_scorers/conf/preset/acme.yaml": """# @package _global_
defaults: [adapttoken, override /scorer: acme_center]
""",
}
USE = """
from hydra import compose, initialize_config_dir
from framework.config import plugins
from framework.config.build import build
from framework.config.parts import INTERFACES
from framework.testing.contracts import check_scorer
from framework.core.interfaces import TokenScorer

plugins.register()
assert "acme_center" in plugins.options("scorer") and "acme" in plugins.options("preset")
assert "attention" in plugins.options("scorer")
with initialize_config_dir(config_dir=str(plugins.CONF), version_base="1.3"):
    cfg = compose("config", ["preset=acme", "scorer.strength=2.5"])
    scorer = build(cfg.scorer, TokenScorer, "scorer")
    check_scorer(scorer)
    for group, interface in INTERFACES.items():
        build(cfg[group], interface, group)
print(type(scorer).__module__, scorer)
"""


THREE = """
from framework.cli import main
statuses = []
for words in {lines}:
    try:
        main(words)
        statuses.append(0)
    except SystemExit as end:
        statuses.append(end.code)
print(*(f"status {{status}}" for status in statuses), sep="\\n")
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, built and installed into a folder of its own."""
    source, site = tmp_path_factory.mktemp("acme"), tmp_path_factory.mktemp("site")
    for name, text in PACKAGE.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text)
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "--target",
        str(site),
        str(source),
    ]
    subprocess.run(install, check=True, capture_output=True, timeout=120)
    return site


@pytest.fixture(scope="module")
def run(site: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Python with these words, where the package is installed."""

    def python(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(site)])}
        return subprocess.run(
            [sys.executable, *words], capture_output=True, text=True, timeout=180, env=environment, cwd=cwd
        )

    return python


def test_a_third_party_scorer_is_found_composed_and_checked(run: Callable[..., Any]) -> None:
    done = run("-c", USE)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "acme_scorers.center Center(strength=2.5)"


def test_a_third_party_recipe_trains(run: Callable[..., Any], tmp_path: Path) -> None:
    words = ["train", "recipe=acme", "running.progress=false", "running.save_every=1"]
    lines = [words, [*words, "recipe.points.slop=3", "folder=other"], [*words, "seed=1"]]
    done = run("-c", THREE.format(lines=lines), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-3:] == ["status 0", "status 2", "status 2"]
    assert "recipe.points.slop" in done.stderr  # the folder of the first belongs to another seed:
    assert "holds a training with another recipe (seed: 0 there, 1 now)" in done.stderr
    folder = tmp_path / "outputs" / "train" / "acme"
    assert torch.load(folder / "last.ckpt", weights_only=False)["global_step"] == 2
    weights = load_file(folder / "checkpoint" / "line.safetensors")
    assert set(weights) == {"weight", "bias"} and all(bool(value.isfinite().all()) for value in weights.values())
    about = header(folder / "checkpoint" / "line.safetensors", "line", "sieve train")
    assert about["recipe"]["points"] == {"slope": 3}


def test_a_third_party_command_runs(run: Callable[..., Any], tmp_path: Path) -> None:
    done = run("-m", "framework.cli", "acme", "word=it's, said", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "acme says it's, said"
    assert done.stderr.count("acme-scorers") == 1 and "'lost'" in done.stderr  # the one that is not there
    shown = run("-m", "framework.cli", "acme", "--help").stdout
    assert "says a word" in shown and "what is said" in shown
    every = run("-m", "framework.cli", "--help").stdout
    assert "sieve acme" in every and "sieve gaze" in every and "lost" not in every


def test_a_command_that_is_none_or_named_like_another_is_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    points = [
        EntryPoint(name="ask", value="framework.commands.entries.answering:EVAL", group=catalogue.ENTRY_POINTS),
        EntryPoint(name="page", value="framework.config.plugins:page", group=catalogue.ENTRY_POINTS),
    ]
    monkeypatch.setattr(catalogue, "entry_points", lambda group: points)
    catalogue.commands.cache_clear()
    try:
        assert list(catalogue.commands()) == [command.name for command in catalogue.OURS]
    finally:
        monkeypatch.undo()
        catalogue.commands.cache_clear()
    assert "there is one of that name" in caplog.text and "is no Command" in caplog.text


def test_a_broken_entry_point_is_reported_and_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = EntryPoint(name="gone", value="no_such_package.conf", group=plugins.ENTRY_POINTS)
    monkeypatch.setattr(plugins, "entry_points", lambda group: [broken])
    assert plugins.plugin_folders() == {}
    assert "no_such_package.conf" in caplog.text
    assert "attention" in plugins.options("scorer")


@pytest.mark.parametrize(("ours", "theirs"), [("a", "b"), ("b", "a")])  # however the paths sort
def test_a_plug_in_cannot_shadow_a_built_in_option(
    ours: str, theirs: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for folder in (ours, theirs):
        (tmp_path / folder / "scorer").mkdir(parents=True)
        (tmp_path / folder / "scorer" / "attention.yaml").write_text("_target_: some.Scorer\n")
    monkeypatch.setattr(plugins, "CONF", tmp_path / ours)
    monkeypatch.setattr(plugins, "plugin_folders", lambda: {"evil": tmp_path / theirs})
    assert plugins.options("scorer") == {"attention": tmp_path / ours / "scorer" / "attention.yaml"}
