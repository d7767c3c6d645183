"""Several methods over a scale of opacities: from run folders to thresholds, accuracy, evidence and cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from framework.core.errors import UsageError
from framework.evaluation.extremes import chance
from framework.evaluation.journal import is_text, read_lines
from framework.evaluation.metrics import known_mean
from framework.evaluation.results import is_number
from framework.evaluation.runs import Line, load
from framework.evaluation.statistics import Interval, mean_interval
from framework.evaluation.threshold import Tally, Threshold, thresholds

Folders = Mapping[str, Mapping[float, Sequence[Path]]]  # method -> opacity, ascending -> a run per seed


@dataclass(frozen=True)
class Cell:
    """Describes what one method did at one opacity, over all seeds."""

    opacity: float
    accuracy: Interval
    evidence_found: float | None  # share of questions
    evidence_kept: float | None  # share of the needles' tokens


@dataclass(frozen=True)
class Method:
    """Describes one method over the whole scale."""

    name: str
    threshold: Threshold
    cells: tuple[Cell, ...]  # one per opacity
    operations: float  # floating point operations per question, estimated, mean over the scale
    n: int  # questions at each opacity
    videos: int


def measure(folders: Folders, resamples: int, seed: int = 0) -> list[Method]:
    """Fits the thresholds of all methods, paired over videos; ratios are to the first.

    Raises UsageError where runs have not answered the same questions, or questions have no options to guess among.
    """
    lines = {(name, opacity): _lines(runs) for name, scale in folders.items() for opacity, runs in scale.items()}
    first = next(iter(lines.values()))
    for (name, opacity), found in lines.items():
        if found.keys() != first.keys():
            raise UsageError(
                f"{name} at opacity {opacity:g} has not answered the same questions as the first run; choose another "
                "outputs folder, or delete the runs of an older benchmark"
            )
    guess = chance(list(first.values()))
    if math.isnan(guess):
        raise UsageError("benchmark: a threshold needs questions with options, whose chance is known")
    opacities = list(next(iter(folders.values())))
    tallies = {name: _tally([list(lines[name, opacity].values()) for opacity in opacities]) for name in folders}
    fitted = thresholds(tallies, opacities, guess, resamples, seed)
    return [
        Method(
            name=name,
            threshold=fitted[name],
            cells=tuple(_cell(opacity, list(lines[name, opacity].values())) for opacity in opacities),
            operations=_operations([folder for runs in scale.values() for folder in runs]),
            n=len(first),
            videos=len({line["video"] for line in first.values()}),
        )
        for name, scale in folders.items()
    ]


def _lines(folders: Sequence[Path]) -> dict[str, Line]:
    return {name: line for folder in folders for name, line in load(folder).lines.items()}


def _tally(scale: Sequence[Sequence[Line]]) -> Tally:
    """Sums per video (in the order of their names) and opacity."""
    place = {video: row for row, video in enumerate(sorted({line["video"] for line in scale[0]}))}
    right, asked = np.zeros((len(place), len(scale))), np.zeros((len(place), len(scale)))
    for column, lines in enumerate(scale):
        for line in lines:
            right[place[line["video"]], column] += line["correct"]
            asked[place[line["video"]], column] += 1
    return Tally(right, asked)


def _cell(opacity: float, lines: Sequence[Line]) -> Cell:
    return Cell(
        opacity=opacity,
        accuracy=mean_interval([line["correct"] for line in lines], [line["video"] for line in lines]),
        evidence_found=known_mean(lines, "evidence_found"),
        evidence_kept=known_mean(lines, "evidence_kept"),
    )


def _operations(folders: Sequence[Path]) -> float:
    shape = {"id": is_text, "flops": is_number}
    found = [line["flops"] for folder in folders for line in read_lines(folder / "timings.jsonl", shape)[0]]
    return sum(found) / len(found) if found else math.nan
