"""The shipped selector on the shipped model: what docs/results/qtsplus.md says, on fresh videos."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

from framework.backbones.qwen2_5_vl import Qwen25VL
from framework.config.build import build_plain
from framework.config.plugins import CONF
from framework.core.model_files import ASSETS
from framework.core.prompts import PromptTemplate
from framework.lab.features import NeedleFeatures, NeedleSettings
from strategies.learned.qtsplus import checkpoint
from strategies.learned.qtsplus.training.evaluation import by_split, by_weights, oracle, table, uniform

KINDS = [
    {"split": "attribute", "opacity": 0.15, "videos": 5},
    {"split": "conjunction", "opacity": 1.0, "videos": 5},
    {"split": "two_evidence", "opacity": 1.0, "videos": 5},
    {"split": "when", "opacity": 1.0, "videos": 5},
]


def test_a_tenth_of_the_tokens(tmp_path: Path, prompt: PromptTemplate) -> None:
    torch.set_num_threads(1)
    node = {**yaml.safe_load((CONF / "backbone" / "lab.yaml").read_text())["adapter"], "device": "cpu"}
    node |= {"overlay": None, "answer_positions": "original"}
    backbone = build_plain(node, Qwen25VL, "adapter")
    features = NeedleFeatures(NeedleSettings(KINDS, 256, 4, 8, 0.05, 0.25, 0.0, 99), backbone.model, tmp_path)
    selector, about = checkpoint.load(ASSETS / "qtsplus_lab")
    assert (about.rho, about.positions) == ("drawn", "kept")

    def accuracy(pick) -> dict[str, float]:  # type: ignore[no-untyped-def]
        shares = by_split(table(backbone, prompt, features, pick, [52], about.positions))
        return {name.removesuffix(" at 52"): share for name, share in shares.items()}

    known, kept, even = accuracy(oracle), accuracy(by_weights(selector, backbone)), accuracy(uniform)
    assert min(known.values()) >= 0.9  # 20 questions each
    for split, value in kept.items():
        assert value >= 0.85 and value > even[split] + 0.1, split
    assert known["when"] == pytest.approx(1.0, abs=0.05)
