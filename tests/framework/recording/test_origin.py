"""What a replay takes over from the recorded run, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf, open_dict

from framework.core.errors import UsageError
from framework.recording.origin import check_same, words

Compose = Callable[..., DictConfig]


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Path]:
    def made(*overrides: str) -> Path:
        folder = tmp_path / "a run, [1]"
        folder.mkdir(exist_ok=True)
        (folder / "run.json").write_text(json.dumps({"id": "0f3a", "overrides": overrides}))
        return folder

    return made


RECORDED = (
    "preset=adapttoken",
    "record=true",
    "world.devices=2",
    "tracker=wandb",
    "tracker.project=mine",
    "ablation=budget",
    "launcher=submitit",
    "seed=1",
    "stopping=certain",
    "stopping.entropy=0.1",
    "+relevance@relevance.parts.more=margin",
    "benchmark.frames=256",
)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ((), ("preset=adapttoken", "seed=1", *RECORDED[8:])),
        (("seed=2",), ("preset=adapttoken", *RECORDED[8:])),
        (("stopping=never",), ("preset=adapttoken", "seed=1", *RECORDED[10:])),
        (("stopping.entropy=0.2",), ("preset=adapttoken", "seed=1", "stopping=certain", *RECORDED[10:])),
        (("relevance=variance",), ("preset=adapttoken", "seed=1", *RECORDED[8:10], "benchmark.frames=256")),
        (("preset=adapttoken_agreement",), ("seed=1", "benchmark.frames=256")),
        (("-m", "++seed=1,2"), ("preset=adapttoken", *RECORDED[8:])),
    ],
)
def test_what_is_typed_wins(typed: tuple[str, ...], kept: tuple[str, ...], run: Callable[..., Path]) -> None:
    folder = run(*RECORDED)
    flags, rest = [word for word in typed if word == "-m"], [word for word in typed if word != "-m"]
    expected = [*flags, *kept, *rest, f"recording.folder={folder}", "recording.id=0f3a"]
    assert words([*rest, f"recording={folder}", *flags]) == expected


@pytest.mark.parametrize(
    ("recorded", "typed", "asked"),
    [
        (("ablation=relevance", "relevance=margin"), "ablation=relevance", ["benchmark=needle_faint"]),
        (("benchmark=needle",), "ablation=relevance", ["benchmark=needle"]),
        ((), "benchmark=needle_wide", ["benchmark=needle_wide"]),
    ],
)
def test_the_benchmark_is_the_recorded_one_whatever_an_ablation_chooses(
    recorded: tuple[str, ...], typed: str, asked: list[str], run: Callable[..., Path]
) -> None:
    folder = run(*recorded)
    (folder / "hydra").mkdir()
    chosen = {"hydra": {"runtime": {"choices": {"benchmark": "needle_faint"}}}}
    OmegaConf.save(OmegaConf.create(chosen), folder / "hydra" / "hydra.yaml")
    found = words([typed, f"recording={folder}"])
    assert [word for word in found if word.startswith("benchmark=")] == asked


def test_a_recording_must_be_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="recording: got nothing"):
        words(["relevance=margin"])
    with pytest.raises(UsageError, match=r"has no run\.json"):
        words([f"recording={tmp_path}"])


@pytest.mark.parametrize(
    ("override", "key", "now", "was"),
    [
        ("splitter=contiguous", "splitter._target_", "Contiguous", "Interleaved"),
        ("scorer.rows=all", "scorer.rows", "'all'", "'question_end'"),
        ("backbone.adapter.checkpoint=asset:other", "backbone.adapter.checkpoint", "asset:other", "asset:lab"),
        ("backbone.adapter.dtype=bfloat16", "backbone.adapter.dtype", "bfloat16", "float32"),
        ("backbone.adapter.probe_positions=original", "backbone.adapter.probe_positions", "original", "compact"),
        ("backbone.adapter.told='{seconds} s'", "backbone.adapter.told", "{seconds} s", "seconds"),
        ("backbone.sampling.fps=1", "backbone.sampling.fps", "1", "None"),
        ("frames=64", "backbone.sampling.max_frames", "64", "10000"),
        ("benchmark.videos=7", "benchmark.videos", "7", r"\d+"),
        ("seed=9", "benchmark.seed", "9", "0"),
    ],
)
def test_what_made_the_probes_must_stay(
    override: str, key: str, now: str, was: str, composed: Compose, tmp_path: Path
) -> None:
    OmegaConf.save(composed("preset=adapttoken"), tmp_path / "config.yaml", resolve=True)
    with pytest.raises(UsageError, match=rf"{key} is .*{now}.* here and was .*{was}"):
        check_same(tmp_path, composed("preset=adapttoken", override))


@pytest.mark.parametrize(
    "overrides",
    [
        ("preset=adapttoken_agreement",),
        ("relevance=margin", "allocator=equal", "answerer=vote", "budget=8", "share=false", "reader=pyav"),
        ("backbone.adapter.device=cuda:3", "backbone.adapter.questions_per_pass=1", "backbone.adapter.attention=eager"),
        ("backbone.adapter.answer_positions=compact", "backbone.temperature=3"),
        ("benchmark.folder=/elsewhere",),
    ],
    ids=" ".join,
)
def test_what_comes_after_is_free(overrides: tuple[str, ...], composed: Compose, tmp_path: Path) -> None:
    OmegaConf.save(composed("preset=adapttoken"), tmp_path / "config.yaml", resolve=True)
    check_same(tmp_path, composed("preset=adapttoken", *overrides))


def test_a_key_that_came_after_the_recording_stands_for_what_was_done_before(composed: Compose, tmp_path: Path) -> None:
    words = ("preset=adapttoken", "backbone=qwen2_5_vl_7b")  # which has all of them as it was before
    recorded = composed(*words)
    with open_dict(recorded):
        for key in ("told", "total_pixels", "second_per_grid"):
            del recorded.backbone.adapter[key]
    OmegaConf.save(recorded, tmp_path / "config.yaml", resolve=True)
    check_same(tmp_path, composed(*words))
    with pytest.raises(UsageError, match=r"backbone\.adapter\.told is '\{seconds\} s' here and was ''"):
        check_same(tmp_path, composed(*words, "backbone.adapter.told='{seconds} s'"))
