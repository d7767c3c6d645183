"""Names from outside are text: they reach people as they are, and steer neither rich nor a terminal."""

from __future__ import annotations

import io
import logging
import re
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf
from rich.console import Console
from rich.table import Table
from rich.text import Text

from framework.commands.catalogue import commands
from framework.commands.command import Command
from framework.commands.evaluate import show
from framework.commands.progress import display
from framework.config.plugins import CONF
from framework.evaluation.runner import Status
from framework.report.console import PAPER, PlainFormatter, console, plain
from framework.report.tables import Sheet, as_table

NAMES = ["[/bold].mp4", "[red] film.mp4", "[/x]", r"\[b].mp4", "talk :smile: 2.mp4", "[link=file:///]a[/link]"]
STEERING = {
    "\x1b[31mred\x1b[0m.mp4": "red.mp4",  # colour
    "\x1b]0;title\x07film.mp4": "film.mp4",  # the window's title
    "\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\": "link",
    "\x1b]0;no end.mp4": "]0;no end.mp4",
    "a\x1b[2J\x1b[Hb": "ab",  # an empty screen
    "one\rtwo\x08\x00\x7f": "onetwo",
    "\x9b31mc1": "31mc1",
    "film\u202e4pm.exe": "film4pm.exe",  # written from right to left
    "caf\udce9.mp4": "caf.mp4",  # half of a name that is not UTF-8
}


@pytest.mark.parametrize(("name", "read"), STEERING.items())
def test_what_steers_is_stripped(name: str, read: str) -> None:
    assert plain(name) == read


def test_what_is_read_stays() -> None:
    text = "Ünïcödé 映画 🎬 \u200fעברית\n\ttwo lines [/x] \\ 100 %"
    assert plain(text) == text


@pytest.mark.parametrize("name", NAMES)
def test_names_are_printed_as_they_are(capsys: pytest.CaptureFixture[str], name: str) -> None:
    table = Table(name, title=name, caption=name)
    table.add_row(name)
    out = console()
    for part in (name, f"results   {name}", table, as_table(Sheet(name, (name, "n"), ((name, name),), notes=(name,)))):
        out.print(part)
        assert name in capsys.readouterr().out


@pytest.mark.parametrize(("name", "read"), STEERING.items())
def test_no_name_steers_a_terminal(capsys: pytest.CaptureFixture[str], name: str, read: str) -> None:
    table = Table(name)
    table.add_row(Text(name), style="bold")
    for part in (name, Text(name), table):
        console().print(part)
        said = capsys.readouterr().out
        assert read in said and plain(said) == said


def test_styles_of_ours_stay(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    console().print(Text("\x1b[31mfilm\x1b[0m", "bold"))
    assert capsys.readouterr().out == "\x1b[1mfilm\x1b[0m\n"


def test_paper_is_120_columns_wide() -> None:
    assert console().width == PAPER == 120


def test_a_summary_of_any_names(capsys: pytest.CaptureFixture[str]) -> None:
    part = {
        **{"n": 1, "videos": 1, "accuracy": 1.0, "accuracy_interval": [None, None], "groups_visited_share": 1.0},
        **{"tokens_kept_mean": 1.0, "tokens_seen": 1.0, "tokens_total": 1.0, "evidence_found": None},
    }
    summary = {
        **part,
        **{"strata": {"[/b]": {"[/x]": part, "[red]": part}}, "unparsed": 0, "failed": 1},
        **{"errors": {"q": "[/dim] \x1b[31mred"}, "absent": {"videos": {"[/bold].mp4": 1}, "rows": {"row 0": "[/i]"}}},
    }
    show(console(), summary, Path("[/run]"))
    said = capsys.readouterr().out
    for name in ("[/b] [/x]", "[/b] [red]", "[/dim] red", "questions: [/bold].mp4", "row 0: [/i]", "results   [/run]"):
        assert name in said


def test_a_title_of_any_name() -> None:
    out = Console(file=io.StringIO(), force_terminal=True, width=150)
    with display(out, True, "adapttoken on [/mine]") as watch:
        watch(Status(1, 2, [], 0, 0, 0.0))
    assert "adapttoken on [/mine]" in out.file.getvalue()  # type: ignore[attr-defined]


def test_the_log_steers_no_terminal() -> None:
    record = logging.LogRecord("here", logging.WARNING, "", 0, "%s is missing", ("\x1b[31m[/x]\r.mp4",), None)
    assert PlainFormatter("%(levelname)s: %(message)s").format(record) == "WARNING: [/x].mp4 is missing"
    for file in (CONF / "hydra" / "job_logging").glob("*.yaml"):
        text = file.read_text()
        assert text.count("format: ") == text.count(f"class: {PlainFormatter.__module__}.{PlainFormatter.__name__}")
        assert "format: " in text or "- sieve\n" in text


def test_no_name_makes_a_log_line_of_its_own() -> None:
    form = PlainFormatter("[%(levelname)s] %(message)s")
    name = "a\n[ERROR] b\u2028[ERROR] c\r\n[ERROR] d"
    record = logging.LogRecord("here", logging.WARNING, "", 0, "%s is missing", (name,), None)
    assert form.format(record) == r"[WARNING] a\n[ERROR] b\u2028[ERROR] c\n[ERROR] d is missing"
    try:
        raise ValueError(name)
    except ValueError:
        record = logging.LogRecord("here", logging.ERROR, "", 0, "it broke", (), sys.exc_info())
    first, *rest = re.split("[\n\u2028]", form.format(record))
    assert first == "[ERROR] it broke" and len(rest) >= 5
    assert all(line.startswith("    ") for line in rest)


@pytest.mark.parametrize("command", [command for command in commands().values() if command.config])
def test_every_command_logs_so(command: Command) -> None:
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose(command.config, return_hydra_config=True)
    formatters = OmegaConf.select(cfg, "hydra.job_logging.formatters").values()
    assert {one.get("class") for one in formatters} == {f"{PlainFormatter.__module__}.{PlainFormatter.__name__}"}
