"""The shipped lab model as an adapter, a few encoded needle videos, and whole fits of a selector at a tiny size."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.singleton import Singleton

from framework.backbones.qwen2_5_vl import Qwen25VL
from framework.commands.train import run
from framework.config import plugins
from framework.config.identity import register_resolvers
from framework.core.prompts import PromptTemplate
from framework.lab.features import NeedleFeatures
from strategies.learned.qtsplus.training.batches import Batch
from strategies.learned.qtsplus.training.from_needles import DrawSettings, draw_batch
from tests.fixtures.shipped_lab import backbone, features, prompt

CONF = plugins.CONF
SMALL = {"frames": 32, "questions": 2, "codec_share": 0.0}
__all__ = ["backbone", "features", "prompt"]


@pytest.fixture
def batch(features: NeedleFeatures, backbone: Qwen25VL, prompt: PromptTemplate) -> Batch:
    """Four samples about two videos of 128 tokens, with ratios of their own."""
    return draw_batch(np.random.default_rng(0), features, backbone, prompt, DrawSettings(2, 2, (0.05, 0.5)))


TINY = {
    "backbone": "lab",
    "recipe.needles.train.kinds": "[{split: attribute, opacity: 1.0, videos: 3}]",
    "recipe.needles.measure.kinds": "[{split: attribute, opacity: 1.0, videos: 1}]",
    "recipe.draw.videos": 2,
    "recipe.draw.questions": 2,
    "recipe.schedule.steps": 2,
    "recipe.schedule.warmup": 1,
    "recipe.training.extra": 4,
    "running.progress": "false",
    "running.save_every": 2,
    "running.workers": 0,
} | {f"recipe.needles.{use}.{key}": n for use in ("train", "measure") for key, n in SMALL.items()}


@dataclass(frozen=True)
class Fit:
    """`sieve train recipe=qtsplus` at a tiny size, here or as the words of a command line."""

    root: Path
    cache: Path

    def words(self, name: str, **changes: Any) -> list[str]:
        """What is typed for a run in the folder `name`; __ stands for the dots of a key."""
        typed = {**TINY, "folder": self.root / name, "running.cache": self.cache}
        typed |= {key.replace("__", "."): value for key, value in changes.items()}
        return ["recipe=qtsplus", *(f"{key}={value}" for key, value in typed.items())]

    def __call__(self, name: str, **changes: Any) -> Path:
        """Run it here; the folder with the checkpoint."""
        before = Singleton.get_state()
        GlobalHydra.instance().clear()
        try:
            with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
                cfg = compose(config_name="train", overrides=self.words(name, **changes))
        finally:
            Singleton.set_state(before)
        return run(cfg)


@pytest.fixture
def fit(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Fit:
    plugins.register()
    register_resolvers()
    return Fit(tmp_path, tmp_path_factory.getbasetemp() / "encoded")


@pytest.fixture
def curves() -> Callable[[Path], list[dict[str, float]]]:
    """The logged rows of a run's folder, those of every start."""

    def read(folder: Path) -> list[dict[str, float]]:
        files = sorted((folder / "curves").glob("*/metrics.csv"))
        rows = [row for file in files for row in csv.DictReader(file.read_text().splitlines())]
        return [{key: float(value) for key, value in row.items()} for row in rows]

    return read
