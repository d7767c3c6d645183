"""The demo, small: a short video and a random model go through every line of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.singleton import Singleton
from PIL import Image

from experiments import demo
from framework.benchmarks.base import Benchmark
from framework.commands.entries.answering import ASK, DEMO
from framework.config.build import build
from framework.config.plugins import CONF
from framework.lab.model import build_model, save_checkpoint


def test_the_examples_ask_about_the_video_that_the_demo_renders() -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        node = demo._config("adapttoken", "asset:lab").benchmark
    outline = build(node, Benchmark, "benchmark").outline(0)  # type: ignore[type-abstract]
    asked = {item.question.bare: item.question.options for item in outline.items}
    assert f"video={outline.path}" == DEMO
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    for text in (readme, *(line for line, _ in ASK.examples)):
        for line in re.findall(f"sieve ask {re.escape(DEMO)}.*(?:\\\\\n.*)*", text):
            for question in re.findall('question="(.*?)"', line):
                assert question in asked
            for options in re.findall(r'options="\[(.*?)\]"', line):
                assert all(tuple(options.split(",")) == asked[q] for q in re.findall('question="(.*?)"', line))
    assert f"sieve ask {DEMO}" in readme


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
