"""`sieve show` as people meet it: a recorded run, one without probes, and everything that can be wrong."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from framework.config.identity import versions
from tests.fixtures.command_line import sieve


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the lab model with its probes."""
    folder = tmp_path_factory.mktemp("show") / "run"
    size = ("benchmark.videos=1", "benchmark.frames=64", f"benchmark.folder={folder.parent}/made")
    ran = sieve("eval", "preset=adapttoken", "record=true", "progress=false", *size, f"hydra.run.dir={folder}")
    assert ran.status == 0, ran.err
    return folder


@pytest.fixture
def run(recorded: Path, tmp_path: Path) -> Path:
    """A copy of it to change."""
    return Path(shutil.copytree(recorded, tmp_path / "run"))


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "questions.jsonl").read_text().splitlines()]


def test_a_recorded_question_is_told_with_frames(run: Path, tmp_path: Path) -> None:
    line = lines(run)[2]
    ran = sieve("show", str(run), line["id"])
    assert ran.status == 0, ran.err
    assert "the right answer is" in ran.out and "relevance" in ran.out and "evidence" in ran.out
    assert "no frames" not in ran.out and "!" not in ran.out
    picture = run / f"show-{line['id']}.png"
    assert f"picture   {picture}" in ran.out
    sieve("show", str(run), line["id"], "--frames", "0", "--out", str(tmp_path / "new" / "plain.png"))
    assert Image.open(picture).height > Image.open(tmp_path / "new" / "plain.png").height


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda run: shutil.rmtree(run / "probes"), "no recorded probes"),
        (lambda run: next((run / "probes").iterdir()).write_bytes(b"x"), "is no recording of probes"),
        (lambda run: (run / "config.yaml").write_text("benchmark: {_target_: nowhere.Bench}"), "no frames: "),
        (lambda run: [file.unlink() for file in (run.parent / "made").iterdir()], "is not there"),
    ],
)
def test_without_frames_the_reason_is_said(
    run: Path, recorded: Path, change: Callable[[Path], Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = run.parent / "made"
    shutil.copytree(recorded.parent / "made", made)
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace(str(recorded.parent / "made"), str(made)))
    change(run)
    line = lines(run)[0]
    ran = sieve("show", str(run), line["id"])
    assert ran.status == 0, ran.err
    assert "no frames" in ran.out and said in ran.out and "the right answer is" in ran.out
    assert (run / f"show-{line['id']}.png").is_file()


def test_a_run_of_other_versions_says_so(run: Path) -> None:
    about = json.loads((run / "run.json").read_text())
    about["versions"] |= {"torch": "1.0", "commit": "other"}
    (run / "run.json").write_text(json.dumps(about))
    ran = sieve("show", str(run), lines(run)[0]["id"], "--frames", "0")
    assert f"! the run was made with torch 1.0; here is torch {versions()['torch']}\n" in ran.out


def test_an_older_line_shows_what_is_there(run: Path) -> None:
    old = [{key: value for key, value in line.items() if key not in ("question", "options")} for line in lines(run)]
    (run / "questions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in old))
    ran = sieve("show", str(run), old[0]["id"], "--frames", "0")
    assert ran.status == 0 and "(the question is not in questions.jsonl)" in ran.out
    assert "(the question is not" not in sieve("show", str(run), old[0]["id"]).out  # the benchmark knows it


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "got nothing, expected a run folder and the id of a question"),
        (("{run}",), "expected a run folder and the id of a question"),
        (("nowhere", "q"), "there is no folder 'nowhere'"),
        (("{empty}", "q"), "no run in there"),
        (("{run}", "attribute-64-0-0000-9"), "the closest are attribute-64-0-0000-"),
        (("{above}", "q"), "expected one run, got 2 in there"),
        (("{run}", "q", "--out", "why.bmp"), "--out: a picture's name ends with .png, .pdf, .svg, got why.bmp"),
        (("{run}", "q", "--frames", "-1"), "--frames must be >= 0, got -1"),
        (("{run}", "q", "--frames", "x"), "invalid int value: 'x'"),
        (("{run}", "q", "--size", "1"), "`sieve show --help` lists the options"),
    ],
)
def test_wrong_use_is_one_sentence(run: Path, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    (tmp_path / "empty").mkdir()
    shutil.copytree(run, tmp_path / "two" / "other"), shutil.copytree(run, tmp_path / "two" / "run")
    places = {"run": run, "empty": tmp_path / "empty", "above": tmp_path / "two"}
    ran = sieve("show", *(word.format(**places) for word in words))
    assert ran.status == 2 and said in ran.err and len(ran.err.splitlines()) == 1 and not ran.out


def test_wrong_use_loads_no_torch(recorded: Path) -> None:
    code = (
        "import sys\nfrom framework.cli import main\ntry: main(['show', sys.argv[1], 'nobody'])\n"
        "except SystemExit as end: assert end.code == 2\nsys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(recorded)], timeout=60, capture_output=True).returncode == 0
