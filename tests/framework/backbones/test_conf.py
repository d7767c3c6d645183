"""The shipped configurations name exactly the adapter's settings."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

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
    assert {f"qwen3_vl_{size}" for size in ("2b", "4b", "8b", "32b", "30b_a3b")} <= set(NAMES)
    assert {f"qwen3_5_{size}" for size in ("0_8b", "2b", "4b", "9b", "27b")} <= set(NAMES)
    assert {f"internvl3_{size}" for size in ("1b", "2b", "8b", "14b", "38b", "78b")} <= set(NAMES)
    assert {"internvl2_5_8b", *(f"internvl3_5_{size}" for size in ("1b", "2b", "4b", "8b", "14b", "38b"))} <= set(NAMES)
    assert {"llava_onevision_0_5b", "llava_onevision_7b", "llava_onevision_72b"} <= set(NAMES)
    assert {"llava_video_7b", "llava_video_72b"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("preset", ["adapttoken", "stock", "flexselect_published"])
def test_a_backbone_is_one_override(name: str, preset: str, composed: Callable[..., DictConfig]) -> None:
    """Every preset that reaches into a backbone finds what it looks for, and no key that the adapter does not take."""
    cfg = composed(f"backbone={name}", f"preset={preset}")
    module, _, adapter = cfg.backbone.adapter._target_.rpartition(".")
    taken = set(inspect.signature(getattr(importlib.import_module(module), adapter)).parameters)
    resolved = OmegaConf.to_container(cfg.backbone, resolve=True)
    assert set(resolved["adapter"]) - {"_target_"} == taken
    assert 0 < resolved["adapter"]["min_pixels"] <= resolved["adapter"]["max_pixels"]
