"""Shared fixtures: composing the real configuration, a short made video, small committed files."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("WANDB_MODE", "offline")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.singleton import Singleton
from omegaconf import DictConfig

from framework.config import plugins

torch.set_num_threads(1)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a background job of a shell: here and in what tests start
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def composed() -> Callable[..., DictConfig]:
    """`composed("preset=uniform", "budget=8")` gives the root configuration with these overrides."""
    plugins.register()

    def compose_alone(*overrides: str) -> DictConfig:
        before = Singleton.get_state()  # a test may have left Hydra initialised, or be in the middle of it
        GlobalHydra.instance().clear()
        try:
            with initialize_config_dir(config_dir=str(plugins.CONF), version_base="1.3"):
                return compose(config_name="config", overrides=list(overrides))
        finally:
            Singleton.set_state(before)

    return compose_alone


@pytest.fixture(scope="session")
def needle_video(tmp_path_factory: pytest.TempPathFactory, composed: Callable[..., DictConfig]) -> object:
    """A rendered 256-frame needle video with five questions (`framework.benchmarks.base.VideoItem`)."""
    from framework.benchmarks.base import Benchmark
    from framework.config.build import build

    folder = tmp_path_factory.mktemp("needle")
    cfg = composed("benchmark.videos=1", "benchmark.frames=256", f"benchmark.folder={folder}", "seed=3")
    return next(iter(build(cfg.benchmark, Benchmark, "benchmark")))


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of small committed files."""
    return Path(__file__).parent / "data"
