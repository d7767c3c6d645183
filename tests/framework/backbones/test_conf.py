"""The shipped configurations name exactly the adapter's settings."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

FOLDER = Path(__file__).resolve().parents[3] / "conf" / "backbone"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("name", NAMES)
def test_adapter_keys_are_the_constructors(name: str) -> None:
    with initialize_config_dir(str(FOLDER), version_base="1.3"):
        cfg = compose(name)
    keys = set(OmegaConf.to_container(cfg.adapter)) - {"_target_"}
    module, _, adapter = cfg.adapter._target_.rpartition(".")
    assert keys == set(inspect.signature(getattr(importlib.import_module(module), adapter)).parameters)
    assert set(cfg) == set(OmegaConf.load(FOLDER / "lab.yaml"))  # so that changing the backbone stays one override


def test_the_sizes_of_the_family_are_there() -> None:
    assert {"lab", *(f"qwen2_5_vl_{size}" for size in ("3b", "7b", "32b", "72b"))} <= set(NAMES)
