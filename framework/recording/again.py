"""One question of a recorded run, answered again from its probes: what was kept of which frames.

No group passes through the model. The model is loaded: it knows the grid of tokens, and gives the final answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from framework.benchmarks.base import Benchmark, Item, VideoItem
from framework.config.build import build
from framework.config.parts import build_pipeline
from framework.core.errors import UsageError
from framework.core.outcome import Outcome
from framework.engine.pipeline import Pipeline
from framework.recording.recording_session import FOLDER
from framework.recording.replay_session import Recordings


@dataclass(frozen=True)
class Again:
    """Holds the outcome of a question that was answered again, with what it was answered by."""

    pipeline: Pipeline
    outcome: Outcome
    item: Item
    video: str  # path of the file, which need not be there


def probes_of(folder: Path) -> Path | None:
    """Finds the folder with the probes behind the run in `folder`, also those that a replay read.

    None: none were recorded, or they are gone.
    """
    places = [folder / FOLDER]
    if (folder / "config.yaml").is_file() and (origin := OmegaConf.select(_config(folder), "recording.folder")):
        places.append(Path(str(origin)) / FOLDER)
    return next((place for place in places if any(place.glob("*.safetensors"))), None)


def answer_again(folder: Path, probes: Path, line: Mapping[str, Any]) -> Again:
    """Answers the question of a line of questions.jsonl again, from the probes in `probes`.

    Raises UsageError where the benchmark does not have the question now, where probes are missing or damaged, and where
    what is kept differs from what the line says. Raises NotRecorded where the question has no probes.
    """
    cfg, recordings = _config(folder), Recordings(probes)
    benchmark = build(cfg.benchmark, Benchmark, "benchmark")  # type: ignore[type-abstract]
    benchmark.recorded = recordings.holds_any
    video, item = _asked(benchmark, line)
    pipeline = replace(build_pipeline(cfg), open_session=recordings.open)
    (outcome,) = pipeline.answer(video.path, [item.question])
    kept = [None if group.visited is None else group.kept for group in outcome.trace.groups]
    if kept != line["groups"]["kept"]:
        raise UsageError(f"{folder}: the probes of {line['id']} give other kept tokens now than questions.jsonl says")
    return Again(pipeline, outcome, item, video.path)


def _config(folder: Path) -> DictConfig:
    found = OmegaConf.load(folder / "config.yaml")
    assert isinstance(found, DictConfig)
    return found


def _asked(benchmark: Benchmark, line: Mapping[str, Any]) -> tuple[VideoItem, Item]:
    """The video and the question of a line, as the benchmark has them now."""
    for index in range(len(benchmark)):
        outline = benchmark.outline(index)
        for item in outline.items if outline.id == line["video"] else ():
            if item.question.id == line["id"]:
                return outline, item
    raise UsageError(f"{benchmark.name} does not have the question {line['id']} now")
