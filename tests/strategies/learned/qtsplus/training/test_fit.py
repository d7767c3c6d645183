"""Whole fits of a tiny selector: killed and resumed, in bf16, with the language model and LoRA, and their mistakes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import DictConfig
from safetensors.torch import load_file
from transformers import AutoImageProcessor

from framework.config.build import ConfigError
from framework.config.parts import build_pipeline
from framework.core.errors import UsageError
from framework.core.model_files import ASSETS
from strategies.learned.qtsplus.training import recipe as run_selector

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
LORA = "{rank: 2, alpha: 4, dropout: 0.1}"


def selector(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "selector.safetensors")


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_weights(fit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = {"recipe__training__stage": 2, "recipe__training__lora": LORA, "recipe__schedule__steps": 12}
    whole = fit("whole", **changes)
    last = whole.parent.parent / "killed" / "last.ckpt"
    words = [sys.executable, "-m", "framework.cli", "train", *fit.words("killed", **changes)]
    with subprocess.Popen(words, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        while not last.exists() and run.poll() is None:
            time.sleep(0.005)
        run.send_signal(signal.SIGKILL)
    assert run.returncode == -signal.SIGKILL and not (last.parent / "checkpoint").exists()
    done = torch.load(last, weights_only=False)["global_step"]
    assert 0 < done < 12
    drawn: list[int] = []
    draw = run_selector.draw_batch

    def counted(*given: Any) -> Any:
        drawn.append(1)
        return draw(*given)

    monkeypatch.setattr(run_selector, "draw_batch", counted)
    resumed = fit("killed", **changes)
    assert len(drawn) == 12 - done
    for name in ("selector.safetensors", "model.safetensors"):
        one, two = load_file(whole / name), load_file(resumed / name)
        assert one.keys() == two.keys() and all(torch.equal(one[key], two[key]) for key in one)


def test_bf16_computes_on_fp32_weights(fit: Any) -> None:
    full = selector(fit("full", recipe__schedule__steps=1))
    half = fit("half", recipe__schedule__steps=1, recipe__trainer__precision="bf16-mixed", running__save_every=1)
    mixed = selector(half)
    assert {value.dtype for value in mixed.values()} == {torch.float32}
    assert all(bool(value.isfinite().all()) for value in mixed.values())
    assert any(not torch.equal(full[key], mixed[key]) for key in full)  # so something was computed in bf16
    assert any(not torch.equal(value, value.bfloat16().float()) for value in mixed.values())
    moments = torch.load(half.parent / "last.ckpt", weights_only=False)["optimizer_states"][0]["state"].values()
    assert moments and {one["exp_avg"].dtype for one in moments} == {torch.float32}


@pytest.mark.parametrize("lora", ["null", LORA])
def test_stage_two_ends_in_an_ordinary_checkpoint(fit: Any, lora: str) -> None:
    folder = fit("both", recipe__training__stage=2, recipe__training__lora=lora)
    before, after = load_file(ASSETS / "lab" / "model.safetensors"), load_file(folder / "model.safetensors")
    assert before.keys() == after.keys()
    changes = {key: after[key].float() - before[key].float() for key in before}
    learned = {key for key, change in changes.items() if bool(change.abs().max() > 0)}
    assert learned and all(key.startswith(("model.layers.", "model.norm.")) for key in learned)
    if lora == LORA:
        matrices = [changes[key] for key in learned]
        assert all(matrix.ndim == 2 and torch.linalg.matrix_rank(matrix, tol=1e-6) <= 2 for matrix in matrices)
    else:
        assert "model.norm.weight" in learned
    ours, theirs = (AutoImageProcessor.from_pretrained(place, backend="pil") for place in (folder, ASSETS / "lab"))
    assert ours.to_dict() == theirs.to_dict()


def test_the_checkpoint_answers(fit: Any, composed: Callable[..., DictConfig], needle_video: Any) -> None:
    folder = fit("both", recipe__training__stage=2)
    words = (f"backbone.adapter.checkpoint={folder}", f"qtsplus.checkpoint={folder}", "qtsplus.rho=0.1")
    pipeline = build_pipeline(composed("preset=qtsplus", *words))
    learned = load_file(folder / "model.safetensors")
    weights: Any = pipeline.backbone
    assert torch.equal(weights.model.model.language_model.norm.weight, learned["model.norm.weight"])
    (outcome,) = pipeline.answer(needle_video.path, [needle_video.items[0].question])
    assert outcome.answer.choice is not None and sum(outcome.answer.probabilities) == pytest.approx(1.0)


def test_a_backbone_in_bf16_trains_a_selector_in_fp32(fit: Any) -> None:
    weights = selector(fit("bf16", backbone__adapter__dtype="bfloat16"))
    assert {value.dtype for value in weights.values()} == {torch.float32}
    assert all(bool(value.isfinite().all()) for value in weights.values())


def test_mistakes_are_said_before_training(fit: Any) -> None:
    for changes, error, said in (
        ({"recipe__trainer__devices": 2}, UsageError, "torchrun --nproc-per-node 2"),
        ({"recipe__trainer__strategy": "fsdp"}, ConfigError, "recipe.trainer.strategy: got 'fsdp'.*'auto'.*'ddp'"),
        ({"recipe__trainer__accumulate": 0}, ConfigError, "recipe.trainer.accumulate must be at least 1"),
        ({"recipe__training__lora": LORA}, ConfigError, "recipe.training.lora needs recipe.training.stage=2"),
        ({"recipe__training__together": 0}, ConfigError, "recipe.training.together must be at least 1"),
        ({"recipe__needles": "null"}, UsageError, "recipe.file: got nothing to learn from"),
        (
            {"recipe__training__stage": 2, "backbone__adapter__dtype": "bfloat16"},
            ValueError,
            "backbone.adapter.dtype=float32",
        ),
        ({"recipe__network__rho_min": 0.6}, ValueError, "rho_min=0.6 and rho_max=0.5"),
        ({"recipe__training__most": 0}, ConfigError, "recipe.training.most must be at least 1"),
        ({"recipe__draw__rho": "[0.5,0.1]"}, UsageError, "recipe.draw.rho"),
        ({"recipe__start__scoring_layer": 9}, ValueError, "recipe.start.scoring_layer must lie within 0..6"),
    ):
        with pytest.raises(error, match=said):
            fit("mistake", **changes)


def test_training_asks_for_the_family_whose_layers_it_copies(fit: Any) -> None:
    with pytest.raises(
        UsageError, match=r"^backbone: recipe=qtsplus copies .* got the adapter Qwen3VL; take backbone="
    ):
        fit("other", backbone="qwen3_vl_8b")
