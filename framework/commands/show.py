"""`sieve show`: one question of a run, told and drawn again from its line and, where they were recorded, its probes."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from rich.console import Console
from rich.text import Text

from framework.commands.entries.results import SHOW
from framework.config.identity import ABOUT, describe, versions
from framework.core.errors import UsageError
from framework.evaluation.lookup import evidence, question_line
from framework.evaluation.runs import find
from framework.report.console import console as terminal

if TYPE_CHECKING:
    from framework.report.picture import Shot
    from framework.report.story import Story

UNSAFE = re.compile(r"[^\w.-]+")  # of an id, in the name of a file
FORMS = (".png", ".pdf", ".svg")
ELSEWHERE = ("platform", "python", "commit")  # versions that are not packages'


class _Parser(argparse.ArgumentParser):
    """Wrong use is a UsageError, like everywhere."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; `sieve {SHOW.name} --help` lists the options")


def run(words: Sequence[str]) -> Path:
    """Prints what became of a question, draws its picture, and returns the picture's file."""
    given = _given(words)
    folder = _folder(given.words[0])
    line = question_line(folder, given.words[1])
    file = Path(given.out).expanduser() if given.out else folder / f"show-{UNSAFE.sub('_', line['id'])}.png"
    about, out = (describe(folder) if (folder / ABOUT).is_file() else {}), terminal()
    _note(out, _other_versions(about))
    from framework.report.picture import draw_story
    from framework.report.terminal import tell

    story, shots, why = _story(folder, line, given.frames)
    tell(out, story, line.get("entropy"))
    _note(out, why)
    if story.evidence:
        _tell_evidence(out, story, line)
    file.parent.mkdir(parents=True, exist_ok=True)
    draw_story(file, story, shots, about=" · ".join(_ran(folder, about)))
    out.print(f"picture   {file}", soft_wrap=True)
    return file


def _given(words: Sequence[str]) -> argparse.Namespace:
    """The words as typed, checked."""
    parser = _Parser(prog=f"sieve {SHOW.name}", add_help=False, allow_abbrev=False)
    parser.add_argument("words", nargs="*")
    for flag in SHOW.flags:
        parser.add_argument(flag.name, default=flag.default, type=type(flag.default))
    given = parser.parse_args(list(words))
    if len(given.words) != 2:
        got = " ".join(given.words) or "nothing"
        raise UsageError(
            f"got {got}, expected a run folder and the id of a question: sieve show outputs/needle/0f3a QUESTION"
        )
    if given.out and Path(given.out).suffix not in FORMS:
        raise UsageError(f"--out: a picture's name ends with {', '.join(FORMS)}, got {given.out}")
    if given.frames < 0:
        raise UsageError(f"--frames must be >= 0, got {given.frames}")
    return given


def _folder(word: str) -> Path:
    """The one run folder that a word means."""
    folders = [folder for _, folder in find([word])]
    if len(folders) > 1:
        some = ", ".join(map(str, folders[:3]))
        raise UsageError(f"{word}: expected one run, got {len(folders)} in there; name one of them, such as {some}")
    return folders[0]


def _other_versions(about: Mapping[str, Any]) -> str:
    """What this run was made with that is other here; empty where nothing is."""
    was, here = about.get("versions", {}), versions()
    other = [name for name in was if name not in ELSEWHERE and was[name] != here.get(name)]
    if not other:
        return ""
    then, now = (", ".join(f"{name} {of.get(name, 'nothing')}" for name in other) for of in (was, here))
    return f"the run was made with {then}; here is {now}"


def _story(folder: Path, line: Mapping[str, Any], frames: int) -> tuple[Story, Sequence[Shot], str]:
    """What the line tells, more where probes were recorded, and in words why there are no frames."""
    from framework.evaluation.metrics import best_group
    from framework.recording.again import answer_again, probes_of
    from framework.recording.replay_session import NotRecorded
    from framework.report.shots import shots
    from framework.report.story import of_line, of_outcome

    spans = evidence(folder, line)
    story = replace(of_line(line), evidence=spans)
    if not frames:
        return story, (), ""
    if (probes := probes_of(folder)) is None:
        return story, (), "no frames: the run has no recorded probes (sieve eval with record=true keeps them)"
    try:
        again = answer_again(folder, probes, line)
    except (UsageError, NotRecorded, OSError) as error:
        return story, (), f"no frames: {error}"
    found, best = of_outcome(again.outcome), best_group(again.outcome.trace.groups)
    told = {name: getattr(found, name) for name in ("question", "options", "groups", "kept_seconds")}
    story = replace(story, **told, evidence=spans or again.item.evidence)
    if not Path(again.video).is_file():
        return story, (), f"no frames: the video {again.video} is not there"
    try:
        return story, shots(again.pipeline, again.video, again.outcome, best, frames), ""
    except (UsageError, OSError) as error:
        return story, (), f"no frames: {error}"


def _tell_evidence(out: Console, story: Story, line: Mapping[str, Any]) -> None:
    found = {True: "kept of all of it", False: "not kept of all of it"}.get(line.get("evidence_found"), "")  # type: ignore[arg-type]
    spans = ", ".join(f"{start:.1f}–{end:.1f} s" for start, end in story.evidence)
    out.print(Text.assemble(("evidence", "bold"), f"  {spans}" + (f": tokens were {found}" if found else "")))


def _ran(folder: Path, about: Mapping[str, Any]) -> list[str]:
    """Preset, backbone and prober of a run, as far as they are known."""
    from omegaconf import OmegaConf

    chosen = folder / "hydra" / "hydra.yaml"
    choices = OmegaConf.select(OmegaConf.load(chosen), "hydra.runtime.choices") if chosen.is_file() else {}
    prober = choices.get("prober")
    probed = f"prober {prober}" if prober not in (None, "none") else ""
    return [str(name) for name in (about.get("preset"), choices.get("backbone"), probed) if name]


def _note(out: Console, text: str) -> None:
    if text:
        out.print(Text.assemble(("!", "yellow"), f" {text}"), soft_wrap=True)
