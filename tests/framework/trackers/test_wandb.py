"""W&B: what an offline run holds, and that nothing W&B does can hurt a run."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import wandb
from hydra.core.global_hydra import GlobalHydra
from hydra.core.singleton import Singleton

from framework.cli import main
from framework.core.errors import UsageError
from framework.trackers import About, Sweep
from framework.trackers.wandb import WandbTracker
from framework.trackers.wandb_link import FIGURES
from tests.fixtures.offline_wandb import offline_run, offline_runs

SMALL = ("benchmark=needle", "benchmark.videos=2", "benchmark.frames=256", "budget=8", "progress=false")

TINY = ("benchmark=needle", "benchmark.videos=2", "benchmark.frames=64", "benchmark.questions=2", "progress=false")

pytestmark = pytest.mark.usefixtures("closed")


def tracker(mode: str = "offline", **changes: Any) -> WandbTracker:
    seconds = {"seconds_to_connect": 1.0, "seconds_to_finish": 20.0}
    given = {"project": "test", **seconds, "group": None, "table_rows": 100, "tags": ["mine"], "pictures": 1}
    return WandbTracker(entity=None, mode=mode, **{**given, **changes})  # type: ignore[arg-type]


def about(folder: Path) -> About:
    return About("abcdef0123", folder, {"budget": 32}, "adapttoken", "relevance", "needle", ("budget=32",))


def line(place: int) -> dict[str, Any]:
    groups = {name: [4, None] for name in ("visited", "kept", "quota", "choice")}
    groups |= {"relevance": [-0.1 * place, None], "signals": {}}
    fields = {"id": f"q{place}", "video": "v", "right": "A", "parsed": "A", "answer": "A", "correct": place % 2}
    counts = {"groups_visited": 1, "groups_total": 2, "tokens_kept": 4, "tokens_seen": 9, "evidence_found": True}
    return {**fields, **counts, "entropy": 0.1 * place, "strata": {"asked": ["color", "shape"]}, "groups": groups}


def sieve(*words: str) -> None:
    """Runs a command line in this process."""
    before = Singleton.get_state()
    GlobalHydra.instance().clear()
    try:
        main(words)
    finally:
        Singleton.set_state(before)


def test_an_offline_evaluation_holds_config_figures_tables_pictures_and_files(tmp_path: Path) -> None:
    words = ["preset=adapttoken_agreement", *SMALL, f"benchmark.folder={tmp_path}", f"hydra.run.dir={tmp_path / 'run'}"]
    sieve("eval", *words, "tracker=wandb", "tracker.mode=offline", "tracker.pictures=2")
    folder = tmp_path / "run"
    on_disk, about = (json.loads((folder / name).read_text()) for name in ("summary.json", "run.json"))
    lines = [json.loads(text) for text in (folder / "questions.jsonl").read_text().splitlines()]
    found = offline_run(folder)
    run, config = found.run, found.config
    typed = "benchmark.videos=2 benchmark.frames=256 budget=8"
    assert run.run_id == about["id"] and run.display_name == f"adapttoken_agreement on needle {typed}"
    assert run.run_group == "needle" and run.job_type == "adapttoken_agreement"
    assert {"adapttoken_agreement", "needle"} <= set(run.tags) and "budget=8" in run.notes
    assert config["budget"] == 8 and config["stopping"]["_target_"].endswith("Agreement")
    chosen = {"preset": "adapttoken_agreement", "backbone": "lab", "benchmark": "needle", "relevance": "entropy"}
    assert {f"choices/{group}": option for group, option in chosen.items()}.items() <= config.items()
    assert {f"versions/{name}": version for name, version in about["versions"].items()}.items() <= config.items()

    figures = [entry for entry in found.history if "accuracy" in entry]
    assert [entry["questions"] for entry in figures] == [5, 10]
    assert {"seconds_per_question", "groups_visited_share", "failed"} <= set(figures[-1])
    assert found.steps == dict.fromkeys(figures[-1].keys() & set(FIGURES), "questions") and len(found.steps) == 4
    assert found.summary["accuracy"] == on_disk["accuracy"] and found.summary["n"] == 10
    assert found.summary["strata/split/attribute/n"] == 10 and found.summary["absent/videos"] == 0

    columns, rows = found.tables["question_table"]
    of = {name: [row[place] for row in rows] for place, name in enumerate(columns)}
    assert of["question"] == [line["question"] for line in lines] and "?" in of["question"][0]
    assert of["options"] == ["\n".join(line["options"]) for line in lines] and len(lines[0]["options"]) == 4
    assert of["relevance"] == [line["groups"]["relevance"] for line in lines]
    assert of["probabilities"] == [line["probabilities"] for line in lines]

    assert len(list(found.folder.glob("files/media/images/plots/*.png"))) == 3
    assert len(list(found.folder.glob("files/media/images/pictures_*.png"))) == 2
    assert any("pictures/captions" in entry or "pictures" in entry for entry in found.history)
    files = found.artifacts[f"results-{about['id']}"]
    assert set(files) == {"questions.jsonl", "summary.json", "config.yaml", "run.json"}
    assert all(file.read_bytes() == (folder / name).read_bytes() for name, file in files.items())


def test_a_sweep_is_a_group_with_its_table_and_started_again_sends_nothing(tmp_path: Path) -> None:
    words = ["-m", "relevance=entropy,constant", "preset=adapttoken", *TINY, f"benchmark.folder={tmp_path}"]
    words += [f"hydra.sweep.dir={tmp_path / 'sweep'}", "tracker=wandb", "tracker.mode=offline"]
    sieve("eval", *words)
    runs = [offline_run(file.parent) for file in sorted(tmp_path.glob("sweep/*/run.json"))]
    own = offline_run(tmp_path / "sweep" / "tables")
    assert {one.run.display_name for one in runs} == {"relevance=entropy", "relevance=constant"}
    assert {one.config["choices/relevance"] for one in runs} == {"entropy", "constant"}
    (group,) = {one.run.run_group for one in [*runs, own]}
    assert re.fullmatch("sweep-[0-9a-f]{6}", group) and {one.run.job_type for one in runs} == {"adapttoken"}
    assert all(one.run.run_id.endswith(group.removeprefix("sweep")) for one in runs)
    assert own.run.job_type == "sweep" and own.config["swept"] == ["relevance"]
    assert own.config["choices/preset"] == "adapttoken" and "relevance=entropy,constant" in own.run.notes
    columns, rows = own.tables["comparison"]
    of = {name: [row[place] for row in rows] for place, name in enumerate(columns)}
    assert of["relevance"] == ["entropy", "constant"] and of["n"] == [4, 4]
    files = own.artifacts[f"table-{own.run.run_id}"]
    assert sorted(Path(name).suffix for name in files) == [".csv", ".md"]

    before = files_of_wandb(tmp_path / "sweep")
    sieve("eval", *words)
    assert files_of_wandb(tmp_path / "sweep") == before and len(before) > 20


def files_of_wandb(folder: Path) -> dict[Path, bytes]:
    """All that W&B wrote below a folder."""
    wandb.teardown()
    return {file: file.read_bytes() for file in folder.glob("*/wandb/**/*") if file.is_file()}


def ended(folder: Path, lines: list[dict[str, Any]], mode: str = "offline", **changes: Any) -> int:
    """A run that answered nothing new ends with these lines; how many offline folders there are then."""
    ours = tracker(mode, **changes)
    ours.start(about(folder))
    ours.finish({"n": len(lines), "accuracy": 0.5}, lines)
    time.sleep(1 - time.time() % 1)  # W&B names these folders by the second
    return len(list(folder.glob("wandb/offline-run-*")))


def test_only_what_is_new_is_sent_again(tmp_path: Path) -> None:
    assert ended(tmp_path, [line(0)]) == 1
    assert ended(tmp_path, [line(0)]) == 1
    assert ended(tmp_path, [line(0), line(1)]) == 2  # since W&B cannot append to the first
    assert ended(tmp_path, [line(0), line(1)], table_rows=1) == 3
    assert ended(tmp_path, [line(0), line(1)], project="other") == 4
    first, *_, last = offline_runs(tmp_path)
    assert {first.run.run_id, last.run.run_id} == {"abcdef0123"}
    assert [entry["questions"] for entry in first.history if "accuracy" in entry] == [1]  # charts have their last point


def test_new_figures_wake_a_run_that_was_sent_before(tmp_path: Path) -> None:
    assert ended(tmp_path, [line(0)]) == 1
    ours = tracker()
    ours.start(about(tmp_path))
    assert len(list(tmp_path.glob("wandb/offline-run-*"))) == 1
    ours.log({"accuracy": 0.25, "questions": 2})
    ours.finish({"accuracy": 0.25}, [line(0), line(2)])
    _, second = offline_runs(tmp_path)
    assert [entry["accuracy"] for entry in second.history if "accuracy" in entry] == [0.25]


def test_a_run_that_was_sent_offline_is_not_sent_again_while_out_of_reach(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert ended(tmp_path, [line(0)], "online") == 1 and ended(tmp_path, [line(0)], "online") == 1
    assert caplog.text.count("going offline") == 2


@pytest.mark.parametrize(("key", "said"), [(None, "no key"), ("0" * 40, "connection refused")])
def test_out_of_reach_is_offline_with_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, key: str | None, said: str
) -> None:
    if key:
        monkeypatch.setenv("WANDB_API_KEY", key)
    ours = tracker("online")
    ours.start(about(tmp_path))
    ours.log({"accuracy": 0.5})
    ours.finish({"accuracy": 0.5}, [line(0), line(1)])
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1 and "going offline" in warnings[0] and said in warnings[0], warnings
    found = offline_run(tmp_path)
    assert found.run.run_group == "needle" and found.config["budget"] == 32
    assert found.history[0]["accuracy"] == 0.5 and found.summary["accuracy"] == 0.5
    assert set(found.run.tags) == {"mine", "adapttoken", "needle", "relevance"}


def test_its_process_killed_in_the_middle_costs_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ours = tracker()
    ours.start(about(tmp_path))
    table = subprocess.run(["ps", "-eo", "pid,ppid,comm"], capture_output=True, text=True, check=True).stdout
    rows = [row.split(None, 2) for row in table.splitlines()[1:]]
    (service,) = [int(pid) for pid, parent, name in rows if name.startswith("wandb") and int(parent) == os.getpid()]
    os.kill(service, signal.SIGKILL)
    for _ in range(3):
        ours.log({"accuracy": 1.0})
    ours.finish({"accuracy": 1.0}, [line(0)])
    assert caplog.text.count("the run goes on") == 1
    ours.start(about(tmp_path))  # the next cell of a sweep is mirrored again
    ours.log({"accuracy": 1.0})
    ours.finish({"accuracy": 1.0}, [])
    assert caplog.text.count("the run goes on") == 1


def test_the_environment_chooses_the_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    ours = tracker("online")
    ours.start(about(tmp_path))
    ours.log({"accuracy": 1.0})
    ours.finish({}, [])
    assert not (tmp_path / "wandb").exists()


def test_in_a_sweep_the_agent_names_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = tmp_path / "config.yaml"
    chosen.write_text("wandb_version: 1\nallocator.temperature:\n  value: 0.15\nbudget:\n  value: 32\n")
    for name, value in {"SWEEP_ID": "sweep", "RUN_ID": "fromagent", "SWEEP_PARAM_PATH": str(chosen)}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    ours = tracker()
    ours.start(about(tmp_path))
    ours.finish({"accuracy": 1.0}, [])
    found = offline_run(tmp_path)
    run, config, summary = found.run, found.config, found.summary
    assert (run.run_id, run.sweep_id) == ("fromagent", "sweep") and run.job_type == "adapttoken"
    assert config["allocator.temperature"] == 0.15 and config["budget"] == 32 and summary["accuracy"] == 1
    assert not (tmp_path / "wandb" / "mirrored.json").exists()  # another agent's run is another one
    (tmp_path / "sweep.csv").write_text("accuracy\n1\n")
    ours.table(Sweep("1a2b3c", "sweep", ("budget",)), [tmp_path / "sweep.csv"])
    assert len(offline_runs(tmp_path)) == 1  # the agent's run is not the table's


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("project", "a/b", "Invalid project name 'a/b'.*found '/'"),
        ("project", "x" * 129, "exceeded 128 characters"),
        ("tags", ["good", "x" * 65], "is 65 characters. Tags must be between 1 and 64"),
        ("tags", [""], "Tag at index 0 is empty"),
        ("group", "g" * 129, "129 characters; W&B takes 1 to 128"),
        ("group", "", "0 characters"),
    ],
)
def test_what_wandb_refuses_is_refused_before_weights_are_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, key: str, value: Any, said: str
) -> None:
    monkeypatch.setattr("framework.commands.evaluate.build_pipeline", None)
    before = Singleton.get_state()
    GlobalHydra.instance().clear()
    words = ["preset=uniform", *SMALL, f"benchmark.folder={tmp_path}", f"hydra.run.dir={tmp_path / 'run'}"]
    try:
        with pytest.raises(SystemExit) as leaving:
            main(["eval", *words, "tracker=wandb", f"tracker.{key}={json.dumps(value)}"])
    finally:
        Singleton.set_state(before)
    assert leaving.value.code == 2
    assert re.search(rf"^sieve: tracker\.{key}\b.*{said}.*$", capsys.readouterr().err, re.MULTILINE)


def test_tags_of_our_own_are_cut(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ours = tracker(tags=["t" * 64])
    ours.start(replace(about(tmp_path), benchmark="b" * 70, preset="p" * 64))
    ours.finish({"accuracy": 1.0}, [])
    assert "W&B did not" not in caplog.text
    run = offline_run(tmp_path).run
    assert set(run.tags) == {"t" * 64, "b" * 64, "p" * 64, "relevance"} and run.run_group == "b" * 70


@pytest.mark.parametrize(
    ("key", "value"),
    [("mode", "sometimes"), ("seconds_to_connect", 0), ("seconds_to_finish", -1), ("table_rows", -1), ("pictures", -1)],
)
def test_wrong_values_name_their_key(key: str, value: Any) -> None:
    with pytest.raises(UsageError, match=rf"tracker\.{key}.*got {value!r}"):
        tracker(**{key: value})
