"""Configurations are judged before any class of them is imported, and no good one is refused."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from framework.commands.entries.answering import EVAL
from framework.config.early import check
from framework.config.plugins import options
from framework.config.root import typed_key
from framework.core.errors import UsageError

ROOT = Path(__file__).resolve().parents[3]
Compose = Callable[..., DictConfig]


@pytest.mark.parametrize("group", [group for group in EVAL.groups if group not in ("ablation", "launcher", "debug")])
def test_no_option_is_refused(composed: Compose, group: str, tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").touch()
    for option in options(group):
        cfg = composed(f"{group}={option}")
        if "file" in cfg.benchmark:
            cfg.benchmark.file = str(tmp_path / "mine.jsonl")
        elif "root" in cfg.benchmark:
            cfg.benchmark.root = str(tmp_path)
        for model in (cfg.backbone, cfg.get("prober")):
            if model is not None and "/" in str(model.adapter.checkpoint):
                model.adapter.checkpoint = "asset:lab"  # a Hub id: no network
        check(cfg, EVAL.groups)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["budget=-1"], r"^budget must be a whole number of tokens >= 1, got -1 \(key: budget\)"),
        (["budget=abc"], r"^budget must be a whole number of tokens >= 1, got 'abc'"),
        (["budget=true"], r"^budget must be a whole number of tokens >= 1, got True"),
        (["budget=null"], r"^budget must be a whole number of tokens >= 1, got None"),
        (["backbone.budget=0"], r"got 0 \(key: backbone\.budget\)"),
        (["seed=abc"], r"^seed must be a whole number, got 'abc'"),
        (["share=abc"], r"^share must be true or false, got 'abc'"),
        (["frames=abc"], r"^frames: got 'abc', expected int"),
        (["scorer.layers=abc"], r"^scorer\.layers: got 'abc', expected"),
        (["+scorer.laiers=[1]"], r"^scorer\.laiers: Attention has no such key; it has \['heads', "),
        (["~scorer.rows"], r"^scorer\.rows is missing; Attention needs"),
        (["scorer=fusion", "scorer.parts.attention.heads=[1]"], r"^scorer\.parts\.attention\.heads: got \[1\], exp"),
        (["backbone.adapter.checkpoint=/nowhere"], r"^backbone\.adapter\.checkpoint: no folder '/nowhere'"),
        (["backbone.adapter.checkpoint=asset:lba"], r"asset:lba'; there are asset:autogaze_lab, asset:lab, "),
        (["backbone.adapter.told='{minutes}'"], r"^backbone\.adapter\.told must be text in .*; got '\{minutes\}'$"),
        (["preset=autogaze", "autogaze.checkpoint=asset:x"], r"^autogaze\.checkpoint: there are no shipped weights"),
        (["backbone.prompt.max_new_tokens=many"], r"^backbone\.prompt\.max_new_tokens: got 'many', expected int"),
        (["reader.threads=some"], r"^reader\.threads: got 'some', expected int"),
        (["benchmark=jsonl"], r"say which, benchmark\.file=FILE"),
        (["benchmark=jsonl", "benchmark.file=no.jsonl"], r"^benchmark\.file=no\.jsonl: no such file"),
        (["benchmark=videomme"], r"say where, benchmark\.root=FOLDER"),
        (["benchmark=videomme", "benchmark.root=/no"], r"^benchmark\.root=/no: no such folder"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_named(composed: Compose, words: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        check(composed(*words), EVAL.groups)


def test_what_a_command_does_not_use_is_not_judged(composed: Compose) -> None:
    cfg = composed("scorer.layers=abc", "benchmark=videomme")
    check(cfg, ("backbone", "reader"))
    with pytest.raises(UsageError, match=r"scorer\.layers"):
        check(cfg, ("scorer",))


def test_a_class_of_strangers_is_left_to_itself(composed: Compose) -> None:
    cfg = composed("scorer._target_=nowhere.Thing", "backbone.adapter._target_=nowhere.Model")
    cfg.backbone.adapter.checkpoint = "my://place"
    check(cfg, EVAL.groups)


def test_the_typed_key() -> None:
    node = {"b": "${c}", "d": "x${c}", "e": "${f:1}", "f": "${..c}", "g": "${c}${c}"}
    cfg = OmegaConf.create({"a": node, "c": "${g.h}", "g": {"h": 1}})
    assert [typed_key(cfg, f"a.{name}") for name in "bdefg"] == ["g.h", "a.d", "a.e", "a.f", "a.g"]
    assert typed_key(cfg, "c") == "g.h" and typed_key(cfg, "nothing.at.all") == "nothing.at.all"


def test_refusals_of_the_command_line_load_no_torch(tmp_path: Path) -> None:
    video = ROOT / "tests" / "data" / "video" / "h265_video.mp4"
    lines = [
        *(["eval", word] for word in ("budget=-1", "budget=abc", "frames=abc", "scorer=atention", "scorer.layers=x")),
        *(["eval", word] for word in ("budgt=1", "world.devices=x", "max_failed_share=3", "benchmark=videomme")),
        ["ask", f"video={video}", "question=a", "backbone.adapter.checkpoint=/nowhere"],
        ["ask", f"video={video}", "question=a", "backbone=qwen2_5_vl_7b"],
        ["ask", "video=nowhere.mp4", "question=a"],
        ["eval", "backbone.adapter.told='{} s'"],
        ["probe-layers", "benchmark.videos=x"],
        ["replay", "recording=nowhere"],
        *(["threshold", word] for word in ("budget=8", "preset=uniform,unifrom", "preset=")),
        *(["threshold", "preset=uniform", word] for word in ("opacities=[.3,.1,1]", "benchmark=lvbench", "budget=0")),
    ]
    program = f"""
import sys
from framework.cli import main
for line in {lines!r}:
    try:
        main(line)
    except SystemExit as leaving:
        print(leaving.code, *(name for name in ("torch", "transformers", "scipy") if name in sys.modules))
"""
    environment = {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PATH": ""}
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert ran.stdout.split("\n") == ["2"] * len(lines) + [""], ran.stdout + ran.stderr
    assert len(re.findall("^sieve: ", ran.stderr, re.MULTILINE)) == len(lines) == ran.stderr.count("\n"), ran.stderr
