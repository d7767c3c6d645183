"""`sieve ask`: one question about one video; prints the outcome and writes answer.json and answer.png."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console
from rich.progress import Progress as Bar

from framework.config.identity import identity, versions
from framework.core.errors import UsageError
from framework.evaluation.journal import jsonable
from framework.report.console import console

FORMAT = 1  # of answer.json


def run(cfg: DictConfig) -> dict[str, Any]:
    """Answers one question about one video, and returns what answer.json holds."""
    with _folder() as folder:
        return _answered(cfg, folder)


def _answered(cfg: DictConfig, folder: Path) -> dict[str, Any]:
    video, question, options = _asked(cfg)
    from framework.config.parts import build_pipeline, prompt_template
    from framework.evaluation.metrics import best_group
    from framework.report.data import outcome_data
    from framework.report.picture import draw
    from framework.report.shots import shots
    from framework.report.terminal import show

    pipeline = build_pipeline(cfg, video)
    posed = prompt_template(cfg).question("ask", question, options)
    out = console()
    with _bar(console(stderr=True)) as progress:
        (outcome,) = pipeline.answer(video, [posed], progress)
    show(out, outcome)
    data = {
        "format": FORMAT,
        "preset": HydraConfig.get().runtime.choices.get("preset"),
        "id": identity(cfg),
        "versions": versions(),
        **outcome_data(outcome, video),
    }
    file = folder / "answer.json"
    file.write_text(json.dumps(jsonable(data), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    out.print(f"details   {file}", soft_wrap=True, markup=False)
    if cfg.picture:
        best = best_group(outcome.trace.groups)
        draw(folder / "answer.png", outcome, shots(pipeline, video, outcome, best), best)
        out.print(f"picture   {folder / 'answer.png'}", soft_wrap=True, markup=False)
    return data


def _asked(cfg: DictConfig) -> tuple[str, str, tuple[str, ...]]:
    """What was asked, checked before anything heavy is loaded."""
    if not cfg.video:
        raise UsageError("video: got nothing, expected a file: video=FILE")
    video = Path(os.path.expanduser(str(cfg.video)))  # pathlib's own refuses ~NAME where no user is called so
    if not video.is_file():
        raise UsageError(f"video: there is no file {str(cfg.video)!r}; expected the path of a video file")
    if not str(cfg.question or "").strip():
        raise UsageError('question: got nothing, expected a text: question="what color is the star ?"')
    if len(options := tuple(str(option) for option in cfg.options)) == 1:
        raise UsageError(
            f"options: one option is no choice, got {list(options)}; give at least two, or none for an open question"
        )
    if len(set(options)) < len(options):
        raise UsageError(f"options: the same option twice, got {list(options)}")
    return str(video), str(cfg.question), options


@contextmanager
def _folder() -> Iterator[Path]:
    """The run folder. A command that fails before it wrote anything leaves none."""
    hydra = HydraConfig.get()
    folder = Path(hydra.runtime.output_dir)
    try:
        yield folder
    except BaseException:
        there = folder.iterdir() if folder.is_dir() else ()
        left = {place.name for place in there} - {str(hydra.output_subdir), f"{hydra.job.name}.log"}
        if not left and not Path.cwd().is_relative_to(folder.absolute()):
            shutil.rmtree(folder, ignore_errors=True)
        raise


@contextmanager
def _bar(console: Console) -> Iterator[Any]:
    """A progress bar for the groups, on a terminal only."""
    with Bar(console=console, transient=True, disable=not console.is_terminal) as bar:
        tasks: dict[str, Any] = {}

        def watch(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total)
            bar.update(tasks[stage], completed=done)

        yield watch
