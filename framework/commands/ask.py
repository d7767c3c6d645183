"""`sieve ask`: one question about one video; prints the outcome and writes answer.json and answer.png."""

from __future__ import annotations

import json
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
    video, question, options = _asked(cfg)
    from framework.config.parts import build_pipeline, prompt_template
    from framework.evaluation.metrics import best_group
    from framework.report.data import outcome_data
    from framework.report.picture import draw
    from framework.report.shots import shots
    from framework.report.terminal import show

    pipeline = build_pipeline(cfg)
    posed = prompt_template(cfg).question("ask", question, options)
    out = console()
    with _bar(console(stderr=True)) as progress:
        (outcome,) = pipeline.answer(video, [posed], progress)
    show(out, outcome)
    hydra = HydraConfig.get()
    folder = Path(hydra.runtime.output_dir)
    data = {
        "format": FORMAT,
        "preset": hydra.runtime.choices.get("preset"),
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
    if not Path(str(cfg.video)).expanduser().is_file():
        raise UsageError(f"video: there is no file {str(cfg.video)!r}; expected the path of a video file")
    if not str(cfg.question or "").strip():
        raise UsageError('question: got nothing, expected a text: question="what color is the star ?"')
    if len(options := tuple(str(option) for option in cfg.options)) == 1:
        raise UsageError(
            f"options: one option is no choice, got {list(options)}; give at least two, or none for an open question"
        )
    if len(set(options)) < len(options):
        raise UsageError(f"options: the same option twice, got {list(options)}")
    return str(Path(str(cfg.video)).expanduser()), str(cfg.question), options


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
