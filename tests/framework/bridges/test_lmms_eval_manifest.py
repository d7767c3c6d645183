"""The entry point that lmms-eval looks for leads to our class, and looks for lmms-eval only when called."""

from __future__ import annotations

import importlib
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class ModelManifest:
    model_id: str
    chat_class_path: str


def test_the_entry_point_names_our_model(monkeypatch: pytest.MonkeyPatch) -> None:
    about = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    module, function = about["entry-points"]["lmms_eval.models"]["tokensieve"].split(":")
    payload = getattr(importlib.import_module(module), function)
    registry = ModuleType("registry_v2")
    monkeypatch.setattr(registry, "ModelManifest", ModelManifest, raising=False)
    for name in ("lmms_eval", "lmms_eval.models"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "lmms_eval.models.registry_v2", registry)
    (manifest,) = payload()
    assert manifest.model_id == "tokensieve"
    module, _, name = manifest.chat_class_path.rpartition(".")
    source = (ROOT / module.replace(".", "/")).with_suffix(".py").read_text(encoding="utf-8")
    assert f"class {name}(lmms):" in source


def test_nothing_else_of_ours_imports_a_bridge() -> None:
    for folder in ("framework", "strategies", "experiments"):
        for file in (ROOT / folder).rglob("*.py"):
            if "bridges" not in file.parts:
                assert "framework.bridges" not in file.read_text(encoding="utf-8"), file
