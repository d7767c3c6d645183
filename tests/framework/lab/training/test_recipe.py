"""The recipe end to end in miniature: every phase trains what it should, and an interrupted run ends like any other."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from omegaconf import OmegaConf
from safetensors.torch import load_file, save_file
from transformers import Qwen2_5_VLForConditionalGeneration

from framework.config.build import ConfigError, build
from framework.core.errors import UsageError
from framework.lab.model import build_model, object_words, save_checkpoint
from framework.lab.training.recipe import LabRecipe, train
from framework.training.main import LOGGERS
from framework.training.running import Running

CONF = Path(__file__).parents[4] / "conf" / "recipe"


def shipped(name: str) -> dict[str, Any]:
    node: Any = OmegaConf.to_container(OmegaConf.load(CONF / f"{name}.yaml"), resolve=True)
    return node


def built(node: dict[str, Any]) -> LabRecipe:
    return build(node, LabRecipe, "recipe")


def tiny(name: str, steps: int) -> LabRecipe:
    """A shipped recipe with almost no steps, and its last curriculum from the start."""
    node = shipped(name)
    for phase in node["phases"].values():
        phase["schedule"].update(steps=steps, warmup=1)
        if "vision" in phase:
            phase["vision"] = {"clips": 1, "frames": 8}
        elif "subsets" in phase:
            kinds = [{"split": split, "opacity": 1.0, "videos": 1} for split in ("when", "count")]
            for needles in phase["needles"].values():
                needles.update(kinds=kinds, frames=160, questions=2)
            phase["subsets"].update(batch_tokens=64, most_videos=2)
        else:
            phase["batches"].update(clips=2, questions=3, frames=[[0, 8]])
            if "clock" in phase["batches"]:
                phase["batches"]["clock"].update(films=2, tokens=[4, 8])
    return built(node)


def test_the_shipped_recipe() -> None:
    lab = built(shipped("lab"))
    phases = ["vision", "language", "hard_language", "joint", "subsets", "more_subsets", "faint", "faint_subsets"]
    assert list(lab.phases) == phases
    told = {name: part.length_told for name, phase in lab.phases.items() if (part := phase.batches or phase.subsets)}
    assert told == dict.fromkeys(phases[1:], True)
    beside = [phase.batches.clock for phase in lab.phases.values() if phase.batches is not None]
    assert all(clock is not None and clock.farthest == 6000 for clock in beside) and len(beside) == 4
    assert lab.phases["vision"].clips is not None and lab.phases["vision"].clips.noise == (0.01, 0.15)
    seeds = {(name, use, one.seed) for name, p in lab.phases.items() for use, one in (p.needles or {}).items()}
    assert {seed for _, use, seed in seeds if use == "measure"} == {2000}
    assert sorted(seed for _, use, seed in seeds if use == "train") == [1000, 3000, 4000]


def test_mistakes_name_the_key() -> None:
    node = shipped("lab")
    node["phases"]["joint"]["batches"]["klips"] = 3
    with pytest.raises(ConfigError, match=r"recipe\.phases\.joint\.batches\.klips: LanguageSettings has no such key"):
        built(node)
    del node["phases"]["vision"]["schedule"]["rate"]
    with pytest.raises(ConfigError, match=r"recipe\.phases\.vision\.schedule\.rate is missing"):
        built(node)
    node = shipped("lab")
    del node["phases"]["joint"]["batches"]
    with pytest.raises(ConfigError, match=r"recipe\.phases\.joint: a phase has.*got clips, losses, questions"):
        built(node)
    node = shipped("lab")
    del node["phases"]["joint"]["batches"]["clock"]["films"]
    with pytest.raises(ConfigError, match=r"recipe\.phases\.joint\.batches\.clock\.films is missing"):
        built(node)


def running(folder: Path, save_every: int = 2) -> Running:
    return Running(
        folder=folder,
        threads=1,
        workers=0,
        accelerator="cpu",
        progress=False,
        save_every=save_every,
        measure_every=2,
        measure_batches=1,
        logger=LOGGERS["csv"],
        cache=folder / "features",
    )


def test_every_phase_trains_its_parts(tmp_path: Path) -> None:
    made = tiny("lab", steps=2)
    folder = train(made, 0, running(tmp_path))
    fresh, tokenizer = build_model(seed=0)
    before = dict(fresh.named_parameters())
    states = [{k: before[k].detach() for k in before}]
    for name in made.phases:
        saved = load_file(tmp_path / name / "finished.safetensors")
        states.append(
            {k: saved[k] if k in saved else saved["lm_head.weight"] for k in before}
        )  # the tied pair is saved once
    rows = tokenizer.convert_tokens_to_ids(list(object_words()))
    for phase, old, new in zip(made.phases.values(), states, states[1:], strict=False):
        assert all(bool(torch.isfinite(value).all()) for value in new.values())
        moved = {k for k in new if not torch.equal(old[k], new[k])}
        vision = {k for k in new if ".visual." in k}
        pixels = phase.batches is not None and not phase.batches.oracle
        expected = vision if phase.vision else set(new) if pixels else set(new) - vision
        # what carries no gradient: the key bias, to which softmax attention is blind but for rotation
        assert moved <= expected and len(expected - moved) == 0
        if not pixels:
            embedding = "model.language_model.embed_tokens.weight"
            assert torch.equal(old[embedding][rows], new[embedding][rows])
    loaded = Qwen2_5_VLForConditionalGeneration.from_pretrained(folder)
    assert torch.equal(loaded.lm_head.weight, states[-1]["model.language_model.embed_tokens.weight"])
    for phase, splits in (("language", {"attribute"}), ("subsets", {"when", "count"})):
        measured = [json.loads(line) for line in (tmp_path / phase / "measured.jsonl").read_text().splitlines()]
        assert measured[-1]["step"] == 2
        assert {name for name, row in measured[-1].items() if isinstance(row, dict) and row["questions"]} <= splits
        assert any(isinstance(row, dict) and row["questions"] > 0 for row in measured[-1].values())


class Interrupt(Callback):
    """Stops everything in the middle of a phase, as a killed process would."""

    def on_train_batch_end(self, trainer: lightning.Trainer, module: Any, outputs: Any, batch: Any, index: int) -> None:
        if trainer.global_step == 3 and "joint" in str(trainer.default_root_dir):
            raise OSError("power failure")


def test_an_interrupted_run_ends_with_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tiny("lab", steps=4)
    made = replace(whole, phases={"joint": whole.phases["joint"]})
    straight = train(made, 0, running(tmp_path / "straight"))
    stock = lightning.Trainer
    with monkeypatch.context() as patch:
        patch.setattr(
            lightning, "Trainer", lambda callbacks, **rest: stock(callbacks=[*callbacks, Interrupt()], **rest)
        )
        with pytest.raises(OSError, match="power failure"):
            train(made, 0, running(tmp_path / "broken"))
    assert not (tmp_path / "broken" / "checkpoint").exists()
    continued = train(made, 0, running(tmp_path / "broken"))
    one, two = (load_file(folder / "model.safetensors") for folder in (straight, continued))
    assert one.keys() == two.keys()
    assert all(torch.equal(one[key], two[key]) for key in one)


def test_a_start_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    recipe = replace(built(shipped("lab")), start=str(save_checkpoint(*build_model(0), tmp_path / "start")))
    weights = load_file(tmp_path / "start" / "model.safetensors")
    name = "model.norm.weight"
    running = Running(tmp_path / "run", 1, 0, "cpu", False, 1, 1, 1, LOGGERS["csv"], tmp_path / "cache")
    save_file({**weights, name: torch.full_like(weights[name], torch.nan)}, tmp_path / "start" / "model.safetensors")
    with pytest.raises(UsageError, match=r"^recipe\.start: .*norm\.weight holds numbers that are not finite"):
        train(recipe, 0, running)
    del weights[name]
    save_file(weights, tmp_path / "start" / "model.safetensors", {"format": "pt"})
    with pytest.raises(UsageError, match=r"^recipe\.start: .* lacks 1 weights"):
        train(recipe, 0, running)
    assert not running.folder.exists()


@pytest.mark.parametrize("width", [0, 32, 96, -64])
def test_a_width_without_an_even_number_of_heads_is_refused(width: int) -> None:
    with pytest.raises(UsageError, match=rf"recipe\.width must be a multiple of 64.*got {width}"):
        built({**shipped("lab"), "width": width})


def test_a_width_of_its_own_is_part_of_what_a_folder_holds(tmp_path: Path) -> None:
    recipe = replace(tiny("lab", 1), phases={"vision": tiny("lab", 1).phases["vision"]})
    running = Running(tmp_path, 1, 0, "cpu", False, 1, 1, 1, LOGGERS["csv"], tmp_path / "cache")
    small = json.loads((train(replace(recipe, width=64), 0, running) / "config.json").read_text())
    assert small["text_config"]["hidden_size"] == 64
    written = (tmp_path / "vision" / "recipe.yaml").read_text()
    assert "width: 64" in written
