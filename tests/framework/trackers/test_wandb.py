"""W&B: what an offline run holds, and that nothing W&B does can hurt a run."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import wandb
from hydra.core.global_hydra import GlobalHydra
from hydra.core.singleton import Singleton
from wandb.proto import wandb_internal_pb2

from framework.cli import main
from framework.core.errors import UsageError
from framework.trackers import About
from framework.trackers.wandb import WandbTracker, flat, question_table

SMALL = ("benchmark=needle", "benchmark.videos=2", "benchmark.frames=256", "budget=8", "progress=false")


@pytest.fixture(autouse=True)
def closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No key, no home, a server that does not listen; W&B's own process ends with the test."""
    for name in [name for name in os.environ if name.startswith(("WANDB", "NETRC"))]:
        monkeypatch.delenv(name)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{port}")
    for name in ("HOME", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    wandb.teardown()
    yield
    wandb.teardown()


def tracker(mode: str = "offline", **changes: Any) -> WandbTracker:
    given = {"seconds_to_connect": 1.0, "seconds_to_finish": 20.0, "table_rows": 100, "tags": ["mine"]}
    return WandbTracker(project="test", entity=None, mode=mode, **{**given, **changes})  # type: ignore[arg-type]


def about(folder: Path) -> About:
    return About("abcdef0123", folder, {"budget": 32}, "adapttoken", "relevance", "needle", ("budget=32",))


def line(place: int) -> dict[str, Any]:
    groups = {"relevance": [-0.1 * place, None], "kept": [4, None]}
    fields = {"id": f"q{place}", "video": "v", "right": "A", "parsed": "A", "answer": "A", "correct": place % 2}
    counts = {"groups_visited": 1, "groups_total": 2, "tokens_kept": 4, "tokens_seen": 9, "evidence_found": True}
    return {**fields, **counts, "entropy": 0.1 * place, "strata": {"asked": ["color", "shape"]}, "groups": groups}


def records(folder: Path) -> list[Any]:
    """What an offline run recorded: W&B's file is a LevelDB log (blocks of 32 KiB) of protocol buffers."""
    wandb.teardown()  # as when the program ends: only then is the file written to its end
    (file,) = folder.glob("wandb/offline-run-*/*.wandb")
    data, place, whole, found = file.read_bytes(), 7, b"", []
    while place < len(data):
        if 32768 - place % 32768 < 7:
            place += 32768 - place % 32768
            continue
        _, length, kind = struct.unpack_from("<IHB", data, place)
        whole += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            found.append(wandb_internal_pb2.Record.FromString(whole))
            whole = b""
    return found


def kept(folder: Path) -> tuple[Any, dict[str, Any], list[dict[str, Any]], dict[str, Any]]:
    """Of an offline run: the run itself, its configuration, its history, its summary."""
    found = records(folder)
    run = next(record.run for record in found if record.HasField("run"))
    config = {item.key: json.loads(item.value_json) for item in run.config.update}
    history = [
        {item.key or item.nested_key[0]: json.loads(item.value_json) for item in record.history.item}
        for record in found
        if record.HasField("history")
    ]
    summary: dict[str, Any] = {}
    for record in found:
        for item in record.summary.update:
            summary[item.key or "/".join(item.nested_key)] = json.loads(item.value_json)
    return run, config, history, summary


def test_an_offline_evaluation_holds_config_figures_table_plots_and_summary(tmp_path: Path) -> None:
    words = ["preset=adapttoken_lite", *SMALL, f"benchmark.folder={tmp_path}", f"hydra.run.dir={tmp_path / 'run'}"]
    before = Singleton.get_state()
    GlobalHydra.instance().clear()
    try:
        main(["eval", *words, "tracker=wandb", "tracker.mode=offline"])
    finally:
        Singleton.set_state(before)
    on_disk = json.loads((tmp_path / "run" / "summary.json").read_text())
    run, config, history, summary = kept(tmp_path / "run")
    identity = json.loads((tmp_path / "run" / "run.json").read_text())["id"]
    assert run.run_id == identity and run.display_name == f"adapttoken_lite on needle {identity[:6]}"
    assert run.run_group == "needle" and run.job_type == "adapttoken_lite"
    assert {"adapttoken_lite", "needle"} <= set(run.tags) and "budget=8" in run.notes
    assert config["budget"] == 8 and config["stopping"]["_target_"].endswith("Agreement")
    figures = [entry for entry in history if "accuracy" in entry]
    assert [entry["questions"] for entry in figures] == [5, 10]
    assert {"seconds_per_question", "groups_visited_share", "failed"} <= set(figures[-1])
    assert summary["accuracy"] == on_disk["accuracy"] and summary["n"] == 10
    assert summary["strata/split/attribute/n"] == 10 and summary["absent/videos"] == 0
    files = next((tmp_path / "run").glob("wandb/offline-run-*/files"))
    (table,) = files.glob("media/table/question_table*.json")
    assert len(json.loads(table.read_text())["data"]) == 10
    assert len(list(files.glob("media/images/plots/*.png"))) == 3


def test_a_run_that_goes_on_offline_has_a_folder_more(tmp_path: Path) -> None:
    for _ in range(2):
        ours = tracker()
        ours.start(about(tmp_path))
        ours.log({"accuracy": 0.5})
        ours.finish({"accuracy": 0.5}, [])
        time.sleep(1 - time.time() % 1)  # W&B names these folders by the second
    names = [folder.name.rpartition("-")[2] for folder in tmp_path.glob("wandb/offline-run-*")]
    assert names == ["abcdef0123", "abcdef0123"]


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
    run, config, history, summary = kept(tmp_path)
    assert run.run_group == "relevance" and config["budget"] == 32
    assert history[0]["accuracy"] == 0.5 and summary["accuracy"] == 0.5
    assert set(run.tags) == {"mine", "adapttoken", "needle", "relevance"}


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


def test_log_and_finish_that_raise_only_warn(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Dying:
        def log(self, values: object) -> None:
            raise ConnectionError("gone")

    ours = tracker()
    ours._run = Dying()
    ours.log({"accuracy": 1.0})
    ours.log({"accuracy": 1.0})
    ours.finish({"accuracy": 1.0}, [])
    assert caplog.text.count("gone") == 1
    ours._run, ours._folder = Dying(), tmp_path
    ours.finish({"accuracy": 1.0}, [line(0)])
    assert caplog.text.count("gone") == 2 and ours._run is None


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
    run, config, _, summary = kept(tmp_path)
    assert (run.run_id, run.sweep_id) == ("fromagent", "sweep") and run.job_type == "adapttoken"
    assert config["allocator.temperature"] == 0.15 and config["budget"] == 32 and summary["accuracy"] == 1


def test_the_table_of_questions_has_a_column_per_kind_of_stratum() -> None:
    columns, rows = question_table([line(0), {**line(1), "strata": {"length": ["long"]}}])
    assert columns[:2] == ["id", "video"] and columns[-2:] == ["asked", "length"]
    assert [row[-2:] for row in rows] == [["color, shape", ""], ["", "long"]]
    assert "groups" not in columns and all(len(row) == len(columns) for row in rows)


def test_a_summary_is_flattened_and_names_are_counted() -> None:
    summary = {"n": 2, "interval": [0.1, None], "strata": {"a": {"b c": {"n": 1}}}}
    named = {"errors": {"q": "why"}, "absent": {"videos": {"x": 3, "y": 1}, "rows": {}}}
    expected = {"n": 2, "interval/0": 0.1, "interval/1": None, "strata/a/b c/n": 1}
    assert flat({**summary, **named}) == {**expected, "errors": 1, "absent/videos": 2, "absent/rows": 0}


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("project", "a/b", "Invalid project name 'a/b'.*found '/'"),
        ("project", "x" * 129, "exceeded 128 characters"),
        ("tags", ["good", "x" * 65], "is 65 characters. Tags must be between 1 and 64"),
        ("tags", [""], "Tag at index 0 is empty"),
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
    assert re.search(rf"^sieve: tracker\.{key}: .*{said}.*$", capsys.readouterr().err, re.MULTILINE)


def test_tags_of_our_own_are_cut(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ours = tracker(tags=["t" * 64])
    ours.start(replace(about(tmp_path), benchmark="b" * 70, preset="p" * 64))
    ours.finish({"accuracy": 1.0}, [])
    assert "W&B did not" not in caplog.text
    run, *_ = kept(tmp_path)
    assert set(run.tags) == {"t" * 64, "b" * 64, "p" * 64, "relevance"} and run.run_group == "relevance"


@pytest.mark.parametrize(
    ("key", "value"), [("mode", "sometimes"), ("seconds_to_connect", 0), ("seconds_to_finish", -1), ("table_rows", -1)]
)
def test_wrong_values_name_their_key(key: str, value: Any) -> None:
    with pytest.raises(UsageError, match=rf"tracker\.{key}.*got {value!r}"):
        tracker(**{key: value})
