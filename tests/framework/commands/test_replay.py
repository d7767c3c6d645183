"""`sieve eval record=true` and `sieve replay` as people type them, with a tiny random model."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load

from framework.backbones.qwen2_5_vl import Qwen25VL
from framework.core.view import Needs
from framework.video.readers.pyav import PyAVReader
from strategies.relevance.entropy import Entropy
from tests.fixtures.command_line import sieve


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A random model of the real layout on two short videos."""
    from framework.lab.model import build_model, save_checkpoint

    model = tmp_path_factory.mktemp("random_model")
    save_checkpoint(*build_model(0), model)
    size = ["benchmark.videos=2", "benchmark.frames=64", "benchmark.questions=2", "backbone.group_ticks=4"]
    return [f"backbone.adapter.checkpoint={model}", f"benchmark.folder={tmp_path_factory.mktemp('rendered')}", *size]


@pytest.fixture(scope="module")
def recorded(small: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with probes, in a folder whose name needs care."""
    folder = tmp_path_factory.mktemp("run") / "my run, [1]"
    ran = sieve("eval", "preset=adapttoken", "record=true", *small, f"hydra.run.dir='{folder}'")
    assert ran.status == 0, ran.err
    return folder


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever encodes, probes a group or opens a video fails."""
    stock: Callable[..., Any] = Qwen25VL.probe

    def refuse(*arguments: Any, **more: Any) -> Any:
        raise AssertionError("a replay looked at the video")

    monkeypatch.setattr(Qwen25VL, "encode", refuse)
    monkeypatch.setattr(Qwen25VL, "probe", lambda self, t, q, n: refuse() if len(t) else stock(self, t, q, n))
    monkeypatch.setattr(PyAVReader, "info", refuse)
    monkeypatch.setattr(PyAVReader, "decode", refuse)


def lines(folder: Path) -> list[dict[str, Any]]:
    text = (folder / "questions.jsonl").read_text(encoding="utf-8")
    return sorted(map(json.loads, text.splitlines()), key=lambda line: line["id"])


@pytest.mark.usefixtures("blind")
def test_a_replay_of_the_same_has_the_same_lines(recorded: Path, tmp_path: Path) -> None:
    ran = sieve("replay", f"recording={recorded}", "benchmark.folder=nowhere")
    assert ran.status == 0, ran.err
    (folder,) = tmp_path.glob("outputs/replay/needle/*")
    assert lines(folder) == lines(recorded)
    about = json.loads((folder / "run.json").read_text())
    assert about["id"] == folder.name != recorded.name and about["preset"] == "adapttoken"
    assert not (tmp_path / "nowhere").exists()


def test_lite_replayed_is_lite_live(recorded: Path, small: list[str], tmp_path: Path) -> None:
    ran = sieve("eval", "preset=adapttoken_agreement", "stopping.entropy=9", *small, "hydra.run.dir=live")
    assert ran.status == 0, ran.err
    lite = ("preset=adapttoken_agreement", "stopping.entropy=9")
    ran = sieve("replay", f"recording={recorded}", *lite, "hydra.run.dir=again")
    assert ran.status == 0, ran.err
    live, again = lines(tmp_path / "live"), lines(tmp_path / "again")
    assert again == live and all(line["groups_visited"] < line["groups_total"] for line in live)


@pytest.mark.usefixtures("blind")
def test_a_sweep_is_a_table_of_runs(recorded: Path, tmp_path: Path) -> None:
    words = ("relevance=entropy,margin", "allocator.temperature=0.02,0.1")
    ran = sieve("replay", f"recording={recorded}", "-m", *words, "hydra.sweep.dir=sweep")
    assert ran.status == 0, ran.err
    cells = [folder for folder in (tmp_path / "sweep").iterdir() if (folder / "summary.json").exists()]
    assert len(cells) == 4 and all(cell.name in ran.out for cell in cells)
    raw = [[line["groups"]["quota"] for line in lines(cell)] for cell in cells]
    assert len({json.dumps(quotas) for quotas in raw}) == 4


def test_the_folder_may_move(recorded: Path, tmp_path: Path) -> None:
    (tmp_path / "moved").symlink_to(recorded)
    for place in (recorded, tmp_path / "moved"):
        assert sieve("replay", f"recording={place}", "relevance=variance").status == 0
    assert len(list(tmp_path.glob("outputs/replay/needle/*"))) == 1


def test_a_lost_recording_is_made_again(small: list[str], tmp_path: Path) -> None:
    words = ("eval", "preset=adapttoken", *small, "hydra.run.dir=run")
    assert sieve(*words).status == 0
    assert not (tmp_path / "run" / "probes").exists()
    before = (tmp_path / "run" / "questions.jsonl").read_bytes()
    assert sieve(*words, "record=true").status == 0
    first, second = sorted((tmp_path / "run" / "probes").iterdir())
    told = {file: file.stat().st_mtime_ns for file in (first, second)}
    first.unlink()
    assert sieve(*words, "record=true").status == 0
    assert first.exists() and second.stat().st_mtime_ns == told[second]
    assert (tmp_path / "run" / "questions.jsonl").read_bytes() == before


def test_a_damaged_recording_is_made_again(small: list[str], tmp_path: Path) -> None:
    words = ("eval", "preset=adapttoken", "record=true", *small, "hydra.run.dir=run")
    assert sieve(*words).status == 0
    before = (tmp_path / "run" / "questions.jsonl").read_bytes()
    first, second = sorted((tmp_path / "run" / "probes").iterdir())
    told, whole = second.stat().st_mtime_ns, load(first.read_bytes())
    first.write_bytes(b"garbage")
    killed = [first.with_name(name) for name in (".tmpXyZ123", f".{first.name}.part")]
    for left in killed:
        left.write_bytes(b"half")
    assert sieve("replay", "recording=run").status == 2
    assert sieve(*words).status == 0
    assert not any(left.exists() for left in killed)
    again = load(first.read_bytes())  # the order of what the header holds is not fixed
    assert again.keys() == whole.keys()
    assert all(again[name].numpy().tobytes() == whole[name].numpy().tobytes() for name in whole)
    assert second.stat().st_mtime_ns == told
    assert (tmp_path / "run" / "questions.jsonl").read_bytes() == before


def test_damage_inside_a_recording_is_named(small: list[str], tmp_path: Path) -> None:
    words = ("eval", "preset=adapttoken", "record=true", *small, "hydra.run.dir=run")
    assert sieve(*words).status == 0
    first = min((tmp_path / "run" / "probes").iterdir())
    content = bytearray(first.read_bytes())
    content[len(content) * 3 // 4] ^= 1
    first.write_bytes(content)
    assert sieve(*words).status == 0  # the header is whole, and more is not read
    ran = sieve("replay", "recording=run")
    assert ran.status == 2 and f"probes/{first.name} is damaged" in ran.err and "remove it, and the command" in ran.err
    first.unlink()
    assert sieve(*words).status == sieve("replay", "recording=run").status == 0


def test_a_benchmark_of_other_questions_is_to_be_recorded(recorded: Path, small: list[str], tmp_path: Path) -> None:
    video = next(Path(word.partition("=")[2]) for word in small if word.startswith("benchmark.folder="))
    row = {"video": str(min(video.glob("*.mp4"))), "question": "what ?", "options": ["red", "blue"], "answer": "red"}
    mine = tmp_path / "mine.jsonl"
    mine.write_text(json.dumps({**row, "id": "before"}) + "\n")
    words = ("benchmark=jsonl", f"benchmark.file={mine}", small[0], "backbone.group_ticks=4", "frames=32")
    assert sieve("eval", "preset=adapttoken", "record=true", *words, "hydra.run.dir=run").status == 0
    mine.write_text(json.dumps({**row, "id": "now"}) + "\n")
    ran = sieve("replay", "recording=run")
    assert ran.status == 2 and "doctor" not in ran.err
    assert "holds no probes of any question" in ran.err and "sieve eval ... record=true" in ran.err


def test_a_replay_of_a_new_recording_is_made_again(small: list[str], tmp_path: Path) -> None:
    assert sieve("eval", "preset=adapttoken", "record=true", *small, "hydra.run.dir=run").status == 0
    assert sieve("replay", "recording=run", "hydra.run.dir=again").status == 0
    before = (tmp_path / "again" / "questions.jsonl").read_text()
    first = min((tmp_path / "run" / "probes").iterdir())
    os.utime(first, ns=(1, 1))
    assert sieve("replay", "recording=run", "hydra.run.dir=again").status == 0
    after = (tmp_path / "again" / "questions.jsonl").read_text()
    assert sorted(after.splitlines()) == sorted(before.splitlines())
    assert len((tmp_path / "again" / "questions.jsonl.old").read_text().splitlines()) == 2


def test_what_was_not_recorded_fails_alone(recorded: Path, small: list[str], tmp_path: Path) -> None:
    assert sieve("eval", "preset=adapttoken", "record=true", *small, "hydra.run.dir=run").status == 0
    min((tmp_path / "run" / "probes").iterdir()).unlink()
    ran = sieve("replay", "recording=run", "hydra.run.dir=again")
    summary = json.loads((tmp_path / "again" / "summary.json").read_text())
    assert ran.status == 1 and summary["n"] == 2 and summary["failed"] == 2
    assert "were not recorded" in " ".join(summary["errors"].values())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("splitter=contiguous",), "splitter._target_ is"),
        (("preset=nothing",), "preset has no option 'nothing'"),
    ],
)
def test_what_cannot_be_replayed_is_said(words: tuple[str, ...], said: str, recorded: Path) -> None:
    ran = sieve("replay", f"recording={recorded}", *words)
    assert ran.status == 2 and said in ran.err


def test_a_larger_budget_than_was_kept(small: list[str]) -> None:
    assert sieve("eval", "preset=adapttoken", "budget=4", "record=true", *small, "hydra.run.dir=run").status == 0
    ran = sieve("replay", "recording=run", "budget=32")
    assert ran.status == 2 and "may keep 36 tokens of one group (refiner.overshoot=1.1)" in ran.err
    assert "holds its best 5; set budget to 4 or less" in ran.err
    ran = sieve("replay", "recording=run", "refiner=none", "allocator=equal_whole_ticks", "budget=5")
    assert ran.status == 2 and "may keep 8 tokens of one group" in ran.err  # two ticks of 4


def test_attention_is_not_kept(recorded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Entropy, "needs", Needs(logits=True, attention=(2,)))
    ran = sieve("replay", f"recording={recorded}")
    assert ran.status == 2 and "relevance: Entropy reads attention of every group" in ran.err


def test_a_run_without_probes(small: list[str]) -> None:
    assert sieve("eval", "preset=uniform", *small, "hydra.run.dir=run").status == 0
    ran = sieve("replay", "recording=run")
    assert ran.status == 2 and "record=true" in ran.err


def test_logits_that_were_never_computed(small: list[str]) -> None:
    assert sieve("eval", "preset=flexselect", "record=true", *small, "hydra.run.dir=run").status == 0
    ran = sieve("replay", "recording=run", "relevance=entropy")
    assert ran.status == 2 and "reads response logits, which the recorded run never computed" in ran.err
