"""`sieve ask`: questions about one video; prints the outcomes and writes answer.json and a picture of each."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.progress import Progress as Bar
from rich.text import Text

from framework.commands.asked import asked, picture
from framework.commands.entries.answering import ASK
from framework.config.early import check
from framework.config.identity import identity, versions
from framework.evaluation.journal import jsonable
from framework.report.console import console

ONE, SEVERAL = 1, 2  # formats of answer.json


def run(cfg: DictConfig) -> dict[str, Any]:
    """Answers what was asked about one video, and returns what answer.json holds."""
    with _folder() as folder:
        return _answered(cfg, folder)


def _answered(cfg: DictConfig, folder: Path) -> dict[str, Any]:
    video, questions = asked(cfg)
    form = picture(cfg)
    check(cfg, ASK.groups)  # here, not by `ASK.checked`: whatever is refused leaves no folder
    from framework.config.parts import build_pipeline, build_scope, prompt_template
    from framework.core.outcome import Outcome
    from framework.engine.ledger import Ledger
    from framework.evaluation.metrics import best_group
    from framework.report.data import answers_data, backbone_line
    from framework.report.picture import draw
    from framework.report.shared import shared_table
    from framework.report.shots import shots
    from framework.report.terminal import show

    scope = build_scope(cfg)
    pipeline = build_pipeline(cfg, video)
    posed = [prompt_template(cfg).question(one.id, one.text, one.options) for one in questions]
    about = _about(cfg, {"backbone": pipeline.backbone, "prober": pipeline.prober})
    note = scope.caution(video, posed) if scope is not None else None
    ran = f"{about['preset'] or 'no preset'} · {about['backbone']['name']}"
    out, ledger = console(), Ledger()
    out.print(f"{ran}: {backbone_line(about['backbone'])}", soft_wrap=True)
    if "prober" in about:
        out.print(f"prober {about['prober']['name']}: {backbone_line(about['prober'])}", soft_wrap=True)
    if note is not None:
        out.print(Text(note, "yellow"), soft_wrap=True)
    with _bar(console(stderr=True)) as progress:
        outcomes = pipeline.answer(video, posed, progress, ledger)
    several = len(outcomes) > 1

    def drawn(number: int, outcome: Outcome) -> Path:
        best = best_group(outcome.trace.groups)
        file = folder / (f"answer_{number}.{form}" if several else f"answer.{form}")
        draw(file, outcome, shots(pipeline, video, outcome, best), best, about=ran)
        return file

    for number, outcome in enumerate(outcomes, 1):
        out.print()
        if several:
            out.print(Text(f"question {number} of {len(outcomes)}", "bold"))
        show(out, outcome)
    if several:
        out.print(shared_table(ledger.spent(), outcomes))
        out.print()
    data = {"format": SEVERAL if several else ONE, **about, "note": note}
    data |= answers_data(outcomes, video, ledger.spent())
    file = folder / "answer.json"
    file.write_text(json.dumps(jsonable(data), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    out.print(f"details   {file}", soft_wrap=True, markup=False)
    for number, outcome in enumerate(outcomes if form else (), 1):
        out.print(f"picture   {drawn(number, outcome)}", soft_wrap=True, markup=False)
    return data


def _about(cfg: DictConfig, models: Mapping[str, Any]) -> dict[str, Any]:
    """What ran: the preset, the configuration, the packages, and the models with their sizes."""
    choices = HydraConfig.get().runtime.choices
    found: dict[str, Any] = {"preset": choices.get("preset"), "id": identity(cfg), "versions": versions()}
    for key, model in models.items():
        if model is not None:
            parameters, size_bytes = model.size or (None, None)
            found[key] = {
                "name": choices.get(key),
                "checkpoint": OmegaConf.select(cfg, f"{key}.adapter.checkpoint"),
                "parameters": parameters,
                "bytes": size_bytes,
            }
    return found


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
