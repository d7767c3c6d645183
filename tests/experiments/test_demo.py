"""The demo, small: a short video and a random model go through every line of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.singleton import Singleton
from PIL import Image

from experiments import demo
from framework.lab.model import build_model, save_checkpoint


def test_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    save_checkpoint(*build_model(0), tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "FRAMES", 64)
    before = Singleton.get_state()
    GlobalHydra.instance().clear()
    try:
        demo.main([f"checkpoint={tmp_path / 'model'}"])
    finally:
        Singleton.set_state(before)
    shown = " ".join(capsys.readouterr().out.split())
    assert all(preset in shown for preset in demo.PRESETS) and "guessing gives 1.2" in shown
    assert str(tmp_path / "outputs" / "demo" / "demo.png") in shown
    assert Image.open("outputs/demo/demo.png").width > 1000
    data = json.loads(Path("outputs/demo/demo.json").read_text())
    assert [len(data[preset]) for preset in demo.PRESETS] == [5, 5, 5]
    kept = [one["tokens"]["kept"] for preset in demo.PRESETS for one in data[preset]]
    assert all(0 < count <= 32 for count in kept)
