"""The shipped lab model as an adapter, a few encoded needle videos, and whole fits of a selector at a tiny size."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.singleton import Singleton

from framework.backbones.qwen2_5_vl import Qwen25VL
from framework.commands.train import run
from framework.config import plugins
from framework.config.build import build_plain
from framework.config.identity import register_resolvers
from framework.core.prompts import PromptTemplate
from framework.lab.features import NeedleFeatures, NeedleSettings
from strategies.learned.qtsplus.training.batches import Batch
from strategies.learned.qtsplus.training.from_needles import DrawSettings, draw_batch

CONF = plugins.CONF
SMALL = {"frames": 32, "questions": 2, "codec_share": 0.0}


@pytest.fixture(scope="session")
def prompt() -> PromptTemplate:
    return PromptTemplate("{letter} {text}", "", "", 1, 4)


def lab() -> Qwen25VL:
    torch.set_num_threads(1)
    node = yaml.safe_load((CONF / "backbone" / "lab.yaml").read_text())["adapter"]
    return build_plain({**node, "overlay": None, "answer_positions": "original", "device": "cpu"}, Qwen25VL, "adapter")


@pytest.fixture
def backbone() -> Qwen25VL:
    return lab()


@pytest.fixture(scope="session")
def features(tmp_path_factory: pytest.TempPathFactory) -> NeedleFeatures:
    kinds = [{"split": "attribute", "opacity": 1.0, "videos": 2}, {"split": "conjunction", "opacity": 1.0, "videos": 1}]
    settings = NeedleSettings(kinds, 64, 2, 8, 0.05, 0.25, 0.0, seed=5)
    return NeedleFeatures(settings, lab().model, tmp_path_factory.mktemp("features"))


@pytest.fixture
def batch(features: NeedleFeatures, backbone: Qwen25VL, prompt: PromptTemplate) -> Batch:
    """Four samples about two videos of 128 tokens, with ratios of their own."""
    return draw_batch(np.random.default_rng(0), features, backbone, prompt, DrawSettings(2, 2, (0.05, 0.5)))


TINY = {
    "backbone": "lab",
    "selector.needles.train.kinds": "[{split: attribute, opacity: 1.0, videos: 3}]",
    "selector.needles.measure.kinds": "[{split: attribute, opacity: 1.0, videos: 1}]",
    "selector.draw.videos": 2,
    "selector.draw.questions": 2,
    "selector.schedule.steps": 2,
    "selector.schedule.warmup": 1,
    "selector.training.extra": 4,
    "running.progress": "false",
    "running.save_every": 2,
    "running.workers": 0,
} | {f"selector.needles.{use}.{key}": n for use in ("train", "measure") for key, n in SMALL.items()}


@dataclass(frozen=True)
class Fit:
    """`sieve train selector=qtsplus` at a tiny size, here or as the words of a command line."""

    root: Path
    cache: Path

    def words(self, name: str, **changes: Any) -> list[str]:
        """What is typed for a run in the folder `name`; __ stands for the dots of a key."""
        typed = {**TINY, "folder": self.root / name, "running.cache": self.cache}
        typed |= {key.replace("__", "."): value for key, value in changes.items()}
        return ["selector=qtsplus", *(f"{key}={value}" for key, value in typed.items())]

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
