"""The command line as people meet it: help, errors, and whole runs with a tiny random model."""

from __future__ import annotations

import errno
import io
import json
import logging
import os
import re
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.singleton import Singleton
from PIL import Image

from framework import cli
from framework.benchmarks.base import VideoItem
from framework.commands import threshold
from framework.commands.catalogue import commands
from framework.config.identity import register_resolvers
from framework.config.plugins import CONF, options, page
from framework.config.quoting import protect
from framework.engine.pipeline import Pipeline
from framework.evaluation.lock import hold
from framework.recording.format import Recording
from tests.fixtures import command_line
from tests.fixtures.command_line import Ran

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def sieve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """`sieve("ask", "video=...")` in an empty folder; Hydra's global state is put back afterwards."""
    monkeypatch.chdir(tmp_path)
    return command_line.sieve


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Overrides that choose a random model of the real layout, and a place for rendered videos."""
    from framework.lab.model import build_model, save_checkpoint

    folder = tmp_path_factory.mktemp("random_model")
    save_checkpoint(*build_model(0), folder)
    return [f"backbone.adapter.checkpoint={folder}", f"benchmark.folder={tmp_path_factory.mktemp('rendered')}"]


def test_help_lists_every_command_and_real_examples(sieve: Callable[..., Ran]) -> None:
    ran = sieve("--help")
    assert ran.status == 0
    for command in commands().values():
        assert f"sieve {command.name}" in ran.out and command.summary in ran.out
    assert ran.out.count("  sieve ") >= 2 * len(commands())


@pytest.mark.parametrize("name", commands())
def test_help_of_a_command_names_its_keys_and_options(sieve: Callable[..., Ran], name: str) -> None:
    command, ran = commands()[name], sieve(name, "--help")
    assert ran.status == 0 and all(line in ran.out for line, _ in command.examples)
    words = set(re.findall(r"[\w-]+", ran.out))
    for group in command.groups:
        assert {group, *options(group)} <= words
    for flag in command.flags:
        assert {flag.name, *str(flag.default).split()} <= words


def test_help_needs_no_torch() -> None:
    import subprocess

    program = (
        "import sys; from framework.cli import main; main(['ask', '--help']);"
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True).returncode == 0


@pytest.mark.parametrize("name", [command.name for command in commands().values() if command.config])
def test_every_command_has_its_configuration(name: str) -> None:
    assert page(commands()[name].config).is_file()


VIDEO = f"video={__file__}"  # a file, though no video: what is asked is checked first


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ak",), "did you mean `sieve ask`"),
        (("ask",), r"video: got nothing, expected a file"),
        (("ask", "video=nowhere [1], x=2.mp4", "question=a"), r"there is no file 'nowhere \[1\], x=2\.mp4'"),
        (("ask", VIDEO), "question: got nothing"),
        (("ask", VIDEO, "question=   "), "question: got nothing"),
        (("ask", VIDEO, "question=a", "options=[]"), "options: got an empty list"),
        (("ask", VIDEO, "question=a", "options=[red]"), r"options: one option is no choice, got \['red'\]"),
        (("ask", VIDEO, "question=a", "options=[red,red]"), "options: the same option twice"),
        (("ask", VIDEO, "question=a", "options=[red,,blue]"), "options: item 2 of"),
        (("ask", VIDEO, "question=a", "presett=uniform"), "presett: there is no such key; did you mean preset"),
        (("ask", VIDEO, "question=a", "budgt=4"), "budgt: there is no such key; did you mean budget"),
        (("ask", VIDEO, "question=a", "backbone=qwen3_vl_8b", "backbone.adapter.wrpper=frames"),
         r"^sieve: backbone\.adapter\.wrpper: there is no such key; did you mean backbone\.adapter\.wrapper\?"),
        (("ask", VIDEO, "question=a", "backbone=qwen3_vl_8b", "+backbone.adapter.wrpper=frames"),
         r"^sieve: backbone\.adapter\.wrpper: Qwen3VL has no such key; it has .*; did you mean wrapper\?"),
        (("ask", VIDEO, "question=a", "preset=adaptoken"), "no option 'adaptoken'; it has .*did you mean adapttoken"),
        (("ask", VIDEO, "question=a", "reader=decor"), "did you mean decord"),
        (("ask", VIDEO, "question=a", "budget=many"), "budget must be a whole number"),
        (("ask", "video=~nobody.mp4", "question=a"), "there is no file '~nobody.mp4'"),
        (("ask", VIDEO, "question=a", "backbone.adapter.checkpoint=nowhere"), "no folder 'nowhere', and no Hub"),
        (("eval", "--help", "scorer=atention"), "did you mean attention"),
        (("doctor", "backbone=unknown"), "backbone=unknown: backbone has no option 'unknown'; it has internvl2_5_8b, "),
        (("ask", VIDEO, "question=a", "novalue"), "could not read 'novalue'; expected key=value"),
        (("ask", VIDEO, "question=a", "budget=1,2"), "budget=1,2"),
        (("train",), "recipe: got nothing to train, expected one of .*recipe=lab"),
        (("bench",), "what: got nothing to measure, expected one of .*what=tower"),
        (("bench", "what=towr"), "what has no option 'towr'; it has .*did you mean tower"),
        (("bench", "what=tower", "what.shares=[2]"), "what.shares: got 2.0, expected shares above 0 and at most 1"),
    ],
)  # fmt: skip
def test_errors_are_one_message(sieve: Callable[..., Ran], words: tuple[str, ...], said: str) -> None:
    ran = sieve(*words)
    assert ran.status == 2 and ran.out == ""
    assert re.search(said, ran.err), ran.err
    assert ran.err.startswith("sieve: ") and "Traceback" not in ran.err and ran.err.count("\n") == 1


def test_the_summary_tells_of_damaged_pictures() -> None:
    from rich.console import Console

    from framework.commands.evaluate import show

    absent = {"videos": {}, "rows": {}}
    healthy = {"n": 0, "unparsed": 0, "failed": 0, "errors": {}, "absent": absent, "strata": {}}
    told = []
    for summary in (healthy, {**healthy, "damaged_ticks": 7}):
        show(Console(file=(out := io.StringIO()), width=120), summary, Path("here"))
        told.append(out.getvalue())
    assert "damaged" not in told[0] and "7 ticks show pictures decoded from damaged data" in told[1]


def test_debug_keeps_the_traceback(sieve: Callable[..., Ran]) -> None:
    from framework.core.errors import UsageError

    with pytest.raises(UsageError, match="video: got nothing"):
        sieve("ask", "--debug")


QUESTION = 'What\'s he doing, and (the man) who "wins"? ${x} [red]'


def test_ask_writes_everything(sieve: Callable[..., Ran], needle_video: Any, model: list[str], tmp_path: Path) -> None:
    video = tmp_path / "a clip, no. [1] = 'x'.mp4"
    video.symlink_to(needle_video.path)
    asked = (f"video={video}", f"question={QUESTION}", "options=['red, or blue', don't know]")
    ran = sieve("ask", *asked, *model, "preset=adapttoken", "hydra.run.dir=here")
    assert ran.status == 0, ran.err
    data = json.loads((tmp_path / "here" / "answer.json").read_text())
    assert data["question"] == QUESTION and data["video"] == str(video)
    assert data["options"] == ["red, or blue", "don't know"]
    assert data["preset"] == "adapttoken" and data["answer"]["option"] in data["options"]
    assert sum(data["answer"]["probabilities"]) == pytest.approx(1, abs=1e-5)
    assert data["tokens"]["kept"] <= data["tokens"]["budget"] and data["tokens"]["kept"] == len(
        data["selection"]["tick"]
    )
    assert data["groups"]["total"] == len(data["timeline"])
    for part in (QUESTION, data["answer"]["option"], "groups", "visited", "tokens", "probe", "answer.png"):
        assert part in ran.out
    assert Image.open(tmp_path / "here" / "answer.png").width > 1000


@pytest.mark.parametrize("preset", ["uniform", "vote"])
def test_ask_without_a_probe_and_without_a_final_answer(
    sieve: Callable[..., Ran], needle_video: Any, model: list[str], tmp_path: Path, preset: str
) -> None:
    words = [f"video={needle_video.path}", "question=what color is the star ?", "options=[red,blue]", *model]
    ran = sieve("ask", *words, f"preset={preset}", "hydra.run.dir=here")
    assert ran.status == 0, ran.err
    assert (tmp_path / "here" / "answer.png").exists()


def test_ask_that_fails_leaves_no_folder_and_takes_none_away(
    sieve: Callable[..., Ran], needle_video: Any, model: list[str], tmp_path: Path
) -> None:
    assert sieve("ask").status == 2
    assert sieve("ask", f"video={needle_video.path}", "question=a", "budget=0", *model).status == 2
    assert not list((tmp_path / "outputs" / "ask").iterdir())
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "answer.json").write_text("of before")
    assert sieve("ask", "hydra.run.dir=here").status == 2
    assert (tmp_path / "here" / "answer.json").read_text() == "of before"
    assert sieve("ask", "hydra.run.dir=.").status == 2 and tmp_path.is_dir()


def test_open_question(sieve: Callable[..., Ran], needle_video: Any, model: list[str], tmp_path: Path) -> None:
    words = [f"video={needle_video.path}", "question=what color is the star ?", *model, "picture=false"]
    ran = sieve("ask", *words, "hydra.run.dir=here")
    assert ran.status == 0, ran.err
    data = json.loads((tmp_path / "here" / "answer.json").read_text())
    assert data["answer"]["choice"] is None and isinstance(data["answer"]["text"], str)
    assert not (tmp_path / "here" / "answer.png").exists()


SMALL = ("benchmark=needle", "benchmark.videos=2", "benchmark.frames=64", "benchmark.questions=2")


def test_eval_writes_continues_and_refuses_a_strangers_folder(
    sieve: Callable[..., Ran], model: list[str], tmp_path: Path
) -> None:
    words = ("eval", "preset=uniform", *SMALL, *model, "hydra.run.dir=run")
    ran = sieve(*words)
    assert ran.status == 0, ran.err
    run = tmp_path / "run"
    written = (run / "questions.jsonl").read_bytes()
    lines = written.splitlines(keepends=True)
    assert len(lines) == 4
    summary = json.loads((run / "summary.json").read_text())
    right = [json.loads(line)["correct"] for line in lines]
    assert summary["n"] == 4 and summary["accuracy"] == sum(right) / 4
    assert {"groups_visited_share", "tokens_seen", "tokens_kept_mean", "seconds"} <= set(summary)

    (run / "questions.jsonl").write_bytes(b"".join(lines[:2]) + lines[2][:20])  # killed in the third line
    (run / "summary.json").unlink()
    assert sieve(*words).status == 0
    assert (run / "questions.jsonl").read_bytes() == written
    assert len((run / "timings.jsonl").read_bytes().splitlines()) == 4
    assert json.loads((run / "summary.json").read_text())["accuracy"] == summary["accuracy"]

    ran = sieve(*words, "seed=1")
    assert ran.status == 2 and "holds the results of another configuration" in ran.err


class Fragile:
    """Meets Ctrl-C while it is destroyed, where Python drops every exception."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("swallowed", [True, False])
def test_an_interruption_ends_the_run_wherever_it_comes(
    sieve: Callable[..., Ran], model: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, swallowed: bool
) -> None:
    words = ("eval", "-m", "preset=uniform,random", *SMALL, *model, "hydra.sweep.dir=runs")
    looks, answer = [], Pipeline.answer

    def interrupted(self: Pipeline, *arguments: Any) -> Any:
        looks.append(arguments[0])
        if len(looks) == 1 and swallowed:
            Fragile()
        elif len(looks) == 1:
            signal.raise_signal(signal.SIGINT)
        return answer(self, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(Pipeline, "answer", interrupted)
        ran = sieve(*words)
    assert (ran.status, ran.err) == (130, "sieve: interrupted\n")
    assert len(looks) == 1 and len(list((tmp_path / "runs").glob("*/run.json"))) == 1  # no video and no run more
    assert sieve(*words).status == 0
    assert [len(file.read_bytes().splitlines()) for file in (tmp_path / "runs").glob("*/questions.jsonl")] == [4, 4]


def test_a_folder_that_another_run_holds_is_refused(
    sieve: Callable[..., Ran], model: list[str], tmp_path: Path
) -> None:
    words = ("eval", "preset=uniform", *SMALL, *model, "hydra.run.dir=run")
    for more in ((), ("world.devices=2", "world.accelerator=cpu")):
        with hold(tmp_path / "run"):
            ran = sieve(*words, *more)
        assert ran.status == 2 and f"run is being written by another run: process {os.getpid()} on" in ran.err
    assert not (tmp_path / "run" / "questions.jsonl").exists()
    assert sieve(*words).status == 0


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_one_sentence(
    sieve: Callable[..., Ran], model: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    written = Recording.write
    calls: list[Path] = []

    def write(self: Recording, path: Path) -> None:
        calls.append(path)
        if len(calls) == 2:
            raise OSError(number, os.strerror(number), str(path))
        written(self, path)

    monkeypatch.setattr(Recording, "write", write)
    words = ("eval", "preset=adapttoken", "record=true", *SMALL, *model, "hydra.run.dir=run")
    ran = sieve(*words)
    assert ran.status == 1 and len(calls) == 2 and "not what should happen" not in ran.err
    assert re.search(rf"no space left on the disk: \d+ bytes free in {re.escape(str(tmp_path / 'run'))}", ran.err)
    assert len((tmp_path / "run" / "questions.jsonl").read_text().splitlines()) == 2
    assert sieve(*words).status == 0 and len(calls) == 3


def test_a_folder_that_cannot_be_written_is_one_sentence(
    sieve: Callable[..., Ran], model: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: logging.FileHandler) -> None:
        raise OSError(errno.EROFS, "Read-only file system", self.baseFilename)

    monkeypatch.setattr(logging.FileHandler, "_open", refuse)
    ran = sieve("eval", "preset=uniform", *SMALL, *model, "hydra.run.dir=run")
    assert ran.status == 2 and ran.err.count("\n") == 1
    assert "eval.log cannot be read or written (Read-only file system)" in ran.err and "hydra.run.dir" in ran.err


def test_eval_counts_what_is_missing_and_what_fails(
    sieve: Callable[..., Ran], model: list[str], needle_video: VideoItem, tmp_path: Path
) -> None:
    (tmp_path / "good.mp4").write_bytes(Path(needle_video.path).read_bytes())
    (tmp_path / "torn.mp4").write_bytes(Path(needle_video.path).read_bytes()[:3000])
    question = {"question": "what color is the star ?", "options": ["red", "blue"], "answer": "blue"}
    rows = [{"video": f"{name}.mp4", **question} for name in ("torn", "good", "gone")]
    (tmp_path / "mine.jsonl").write_text("\n".join(map(json.dumps, rows)))
    words = ("eval", "preset=uniform", "benchmark=jsonl", "benchmark.file=mine.jsonl", model[0], "hydra.run.dir=run")
    ran = sieve(*words)
    assert ran.status == 1 and "1 of 2 questions failed, 1.0% are allowed (key: max_failed_share)" in ran.err
    assert "This is not what should happen" not in ran.err
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (summary["n"], summary["failed"], summary["absent"]["videos"]) == (1, 1, {"gone.mp4": 1})
    assert "torn.mp4" in json.loads((tmp_path / "run" / "failures.jsonl").read_text())["error"]
    assert sieve(*words, "max_failed_share=0.5").status == 0
    (tmp_path / "torn.mp4").write_bytes((tmp_path / "good.mp4").read_bytes())  # repaired
    assert sieve(*words).status == 0
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["n"] == 2


def test_all_videos_missing_are_named_and_the_doctor_called_knows_them(
    sieve: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("framework.commands.evaluate.build_pipeline", None)  # no weights are read
    row = {"question": "what ?", "options": ["a", "b"], "answer": "a", "part": "first"}
    rows = [{**row, "video": f"gone/[/x] {number}.mp4"} for number in range(7)]
    (tmp_path / "my, own=1.jsonl").write_text("\n".join(map(json.dumps, rows)))
    benchmark = ("benchmark=jsonl", "benchmark.file=my, own=1.jsonl", "benchmark.strata=[part]", "benchmark.limit=6")
    ran = sieve("eval", "preset=uniform", "budget=8", *benchmark, "hydra.run.dir=run")
    assert ran.status == 2, ran.err
    assert "7 videos are missing (gone/[/x] 0.mp4, " in ran.err and "gone/[/x] 4.mp4 and 2 more) and 0 rows" in ran.err
    (command,) = re.findall(r"`sieve (doctor .*)` lists them", ran.err)
    assert "budget" not in command and "hydra" not in command
    ran = sieve(*shlex.split(command))
    assert ran.status == 1 and "missing videos (their questions: 7): 7\n  gone/[/x] 0.mp4" in ran.out, ran
    assert "part: first " in ran.out and "benchmark.limit=6" in ran.out


def test_multirun_ends_with_one_table(sieve: Callable[..., Ran], model: list[str], tmp_path: Path) -> None:
    ran = sieve("eval", "-m", "preset=uniform", "budget=8,16", *SMALL, *model, "hydra.sweep.dir=sweep")
    assert ran.status == 0, ran.err
    runs = sorted(tmp_path.glob("sweep/*/summary.json"))
    assert len(runs) == 2
    table = ran.out[ran.out.index("accuracy with its 95 %") :]
    assert "budget" in table and all(run.parent.name in table for run in runs)
    kept = {json.loads(run.read_text())["tokens_kept_mean"] for run in runs}
    assert kept == {8, 16}


def test_multirun_is_asked_for_anywhere_on_the_line() -> None:
    assert cli._flags_first(["a=1,2", "-m", "b=3"]) == ["-m", "a=1,2", "b=3"]
    assert cli._flags_first(["a=1,2", "--cfg", "job", "--multirun"]) == ["--multirun", "a=1,2", "--cfg", "job"]
    assert cli._flags_first(["a=1", "b=-m"]) == ["a=1", "b=-m"]


def test_help_with_an_option_lists_its_keys(sieve: Callable[..., Ran]) -> None:
    for words in (("eval", "--help", "scorer=attention"), ("eval", "scorer=attention", "budget=3", "--help")):
        ran = sieve(*words)
        assert ran.status == 0 and "scorer.softmax" in ran.out and "drop tokens drawing more than" in ran.out
        assert "Examples" not in ran.out


def test_help_of_replay_names_the_recording(sieve: Callable[..., Ran]) -> None:
    out = sieve("replay", "--help").out
    assert re.search(r"recording\.folder +\(required\) +recording=FOLDER: a run folder", out)


def test_a_failing_cell_does_not_stop_the_others(sieve: Callable[..., Ran], model: list[str], tmp_path: Path) -> None:
    ran = sieve("eval", "-m", "preset=uniform", "budget=0,16", *SMALL, *model, "hydra.sweep.dir=sweep")
    assert ran.status == 2 and "budget must be" in ran.err
    assert len(list(tmp_path.glob("sweep/*/summary.json"))) == 1 and "failed" in ran.out


def test_probe_layers_names_a_layer(sieve: Callable[..., Ran], model: list[str], tmp_path: Path) -> None:
    from framework.lab.model import LAYERS

    ran = sieve("probe-layers", *model, "benchmark.videos=1", "hydra.run.dir=here")
    assert ran.status == 0, ran.err
    data = json.loads((tmp_path / "here" / "profile.json").read_text())
    assert f"backbone.reference_layer: {data['best']['layer']}" in ran.out
    assert {point["layer"] for point in data["points"]} == set(range(LAYERS)) and data["probes"] == 5
    assert Image.open(tmp_path / "here" / "profile.png").width > 1000


def test_thresholds_share_the_runs_of_eval(sieve: Callable[..., Ran], model: list[str], tmp_path: Path) -> None:
    scale = "opacities=[0.1,0.3,1.0]"
    ran = sieve("threshold", "preset=uniform,random", scale, "resamples=100", "budget=16", *SMALL, *model)
    assert ran.status == 0, ran.err
    (picture,) = (tmp_path / "outputs" / "threshold").glob("*/threshold.png")
    assert Image.open(picture).width > 800 and "ratio to uniform" in ran.out
    runs = set((tmp_path / "outputs" / "needle").glob("*/summary.json"))
    assert len(runs) == 6
    before = {file: file.stat().st_mtime_ns for run in runs for file in run.parent.glob("questions.jsonl")}
    ran = sieve("eval", "preset=random", "benchmark.opacity=0.3", "budget=16", *SMALL, *model)
    assert ran.status == 0 and set((tmp_path / "outputs" / "needle").glob("*/summary.json")) == runs
    assert {file: file.stat().st_mtime_ns for file in before} == before


def test_doctor_reports_and_judges(sieve: Callable[..., Ran], model: list[str]) -> None:
    ran = sieve("doctor", model[0])
    assert ran.status == 0, ran.out
    for part in ("torch", "pyav", "decodes H.264 (3 frames)", "cpu", "sdpa math", "free", "W&B"):
        assert part in ran.out
    ran = sieve("doctor", "backbone.adapter.checkpoint=asset:nothing")
    assert ran.status == 1 and "asset:nothing" in ran.out


def test_doctor_of_a_backbone(sieve: Callable[..., Ran], model: list[str]) -> None:
    ran = sieve("doctor", "backbone=lab")
    assert ran.status == 0 and "asset:lab: all weights are here" in ran.out and "torch" not in ran.out
    ran = sieve("doctor", "backbone=lab", "backbone.adapter.checkpoint=nowhere")
    assert ran.status == 1 and "no folder 'nowhere'" in ran.out


def shown_commands() -> list[str]:
    """The command lines in the indented and fenced blocks of the documents, continued lines joined."""
    pages = ("configuration", "add_a_strategy", "benchmarks", "compare", "threshold", "tracking", "results_on_disk")
    names = ("README.md", "CONTRIBUTING.md", *(f"docs/{page}.md" for page in pages))
    text = "\n".join((ROOT / name).read_text(encoding="utf-8") for name in names).replace("\\\n", " ")
    return re.findall(r"^ {4}(sieve .+)$", text, re.MULTILINE)


@pytest.mark.parametrize("line", [*shown_commands(), *(line for c in commands().values() for line, _ in c.examples)])
def test_shown_commands_compose(line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    command = commands()[words[0]]
    if not command.config:
        flags = {flag.name for flag in command.flags}
        assert {word.partition("=")[0] for word in words if word.startswith("-")} <= flags
        return
    overrides = protect([word for word in words[1:] if word != "-m"], command.texts, command.lists)
    if command.name == "threshold":
        overrides = threshold.words(overrides)
    if "-m" in words:
        overrides = [re.sub(r",.*", "", word) for word in overrides]  # the first run
    before = Singleton.get_state()
    GlobalHydra.instance().clear()
    register_resolvers()
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            compose(command.config, overrides)
    finally:
        Singleton.set_state(before)


def test_documents_show_commands() -> None:
    assert len(shown_commands()) >= 10
