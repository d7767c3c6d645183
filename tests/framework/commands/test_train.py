"""`sieve train`: nothing to train and no recipe are refused before anything heavy; former words mean today's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from framework.commands.train import renamed, run
from framework.core.errors import UsageError

ROOT = Path(__file__).resolve().parents[3]


def test_nothing_to_train() -> None:
    with pytest.raises(UsageError, match=r"recipe: got nothing to train.*recipe=autogaze_ntp.*recipe=lab.*qtsplus"):
        run(OmegaConf.create({"recipe": None}))


def test_a_recipe_without_a_class_is_refused_before_torch_is_there() -> None:
    code = """
import sys
from omegaconf import OmegaConf
from framework.commands.train import run
try:
    run(OmegaConf.create({"recipe": {"name": "acme", "steps": 2}}))
except ValueError as error:
    print(error)
sys.exit("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "recipe: no `_target_`" in done.stdout and "['name', 'steps']" in done.stdout


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("model=lab", "recipe=lab"),
        ("selector=qtsplus", "recipe=qtsplus"),
        ("gaze=ntp", "recipe=autogaze_ntp"),
        ("gaze=ntp,grpo", "recipe=autogaze_ntp,autogaze_grpo"),
        ("gaze.schedule.steps=3", "recipe.schedule.steps=3"),
        ("selector.needles.train.kinds=[{split: when}]", "recipe.needles.train.kinds=[{split: when}]"),
        ("+model.start=x", "+recipe.start=x"),
        ("stage=2", "recipe.training.stage=2"),
        ("recipe=lab", "recipe=lab"),
        ("models=3", "models=3"),
        ("-m", "-m"),
        ("folder=model=lab", "folder=model=lab"),
    ],
)
def test_former_words(typed: str, meant: str) -> None:
    assert renamed([typed]) == [meant]


def test_the_new_words_are_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert renamed(["selector=qtsplus", "seed=1", "stage=2"]) == ["recipe=qtsplus", "seed=1", "recipe.training.stage=2"]
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "sieve train recipe=qtsplus recipe.training.stage=2" in said
    renamed(["recipe=lab", "seed=1"])
    assert capsys.readouterr().err == ""
