"""Runs against a reference: paired differences with intervals, tests, power, agreement, cost. Runs in, rows out.

    comparison = compare([load(folder) for folder in folders], reference="adapttoken")

It writes no files; framework/report/comparison.py makes tables of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from framework.evaluation.association import Association, associations
from framework.evaluation.calibration import Calibration, calibration
from framework.evaluation.extremes import chance
from framework.evaluation.matching import Part, match
from framework.evaluation.metrics import by_stratum, known_mean
from framework.evaluation.naming import Difference, differences
from framework.evaluation.runs import Line, Run
from framework.evaluation.statistics import RESAMPLES, Interval, mean_interval
from framework.evaluation.versus import Versus, correct, versus


@dataclass(frozen=True)
class Row:
    """Describes one run on a benchmark, or on a stratum of it."""

    benchmark: str
    dimension: str  # of the stratum; empty: the whole benchmark
    label: str
    run: str
    n: int
    videos: int
    accuracy: Interval
    tokens_kept: float  # means over questions
    tokens_seen: float
    groups_visited: float  # share
    evidence_found: float | None  # share of questions with a token of every span kept; None where unknown
    evidence_kept: float | None  # share of the evidence's tokens
    seconds: float | None  # per question; None where timings are missing
    chance: float  # accuracy of a guess; NaN where not every answer has the probabilities of its options
    versus: Versus | None  # None: this is the reference


@dataclass(frozen=True)
class Comparison:
    """Holds everything that `sieve compare` says."""

    parts: tuple[Part, ...]
    rows: tuple[Row, ...]  # one per run and benchmark
    strata: tuple[Row, ...]
    signals: tuple[tuple[str, str, Association], ...]  # benchmark, run
    calibrations: tuple[tuple[str, str, Calibration], ...]
    differences: tuple[Difference, ...]
    warnings: tuple[str, ...]


def compare(runs: Sequence[Run], reference: str = "", resamples: int = RESAMPLES, seed: int = 0) -> Comparison:
    """Compares runs of one or several benchmarks with a reference run.

    `reference` is a name, id, folder or preset; by default it is the first run. Raises UsageError when fewer than two
    runs share questions.
    """
    parts, warnings = match(runs, reference)
    rows: list[Row] = []
    strata: list[Row] = []
    signals, calibrations, differing = [], [], []
    for part in parts:
        rows += _rows(part, "", "", part.questions, resamples, seed)
        strata += _strata(part, resamples, seed)
        for run in part.runs:
            lines = [run.lines[name] for name in part.questions]
            signals += [(part.benchmark, run.name, one) for one in associations(lines, seed=seed)]
            if sure := _calibration(lines, seed):
                calibrations.append((part.benchmark, run.name, sure))
            differing += differences(run, part.reference, part.benchmark)
    return Comparison(
        tuple(parts),
        _corrected(rows),
        _corrected(strata),
        tuple(signals),
        tuple(calibrations),
        tuple(differing),
        tuple(warnings),
    )


def _strata(part: Part, resamples: int, seed: int) -> list[Row]:
    """Rows for every label of every dimension that has more than one."""
    lines = [part.reference.lines[name] for name in part.questions]
    return [
        row
        for dimension, labels in by_stratum(lines).items()
        if len(labels) > 1
        for label, inside in labels.items()
        for row in _rows(part, dimension, label, [line["id"] for line in inside], resamples, seed)
    ]


def _rows(part: Part, dimension: str, label: str, questions: Sequence[str], resamples: int, seed: int) -> list[Row]:
    theirs = [part.reference.lines[name] for name in questions]
    videos = [str(line["video"]) for line in theirs]
    rows = []
    for run in part.runs:
        ours = [run.lines[name] for name in questions]
        timed = [run.seconds[name] for name in questions if name in run.seconds]
        rows.append(
            Row(
                benchmark=part.benchmark,
                dimension=dimension,
                label=label,
                run=run.name,
                n=len(ours),
                videos=len(set(videos)),
                accuracy=mean_interval([line["correct"] for line in ours], videos, resamples, seed),
                tokens_kept=_mean([line["tokens_kept"] for line in ours]),
                tokens_seen=_mean([line["tokens_seen"] for line in ours]),
                groups_visited=_mean([line["groups_visited"] / line["groups_total"] for line in ours]),
                evidence_found=known_mean(ours, "evidence_found"),
                evidence_kept=known_mean(ours, "evidence_kept"),
                seconds=_mean(timed) if len(timed) == len(ours) else None,
                chance=chance(theirs),
                versus=None if run is part.reference else versus(ours, theirs, videos, resamples, seed),
            )
        )
    return rows


def _corrected(rows: Sequence[Row]) -> tuple[Row, ...]:
    """The rows with Holm's correction over all their comparisons."""
    family = iter(correct([row.versus for row in rows if row.versus]))
    return tuple(replace(row, versus=next(family)) if row.versus else row for row in rows)


def _calibration(lines: Sequence[Line], seed: int) -> Calibration | None:
    """Of the answers that have option probabilities."""
    sure = [line for line in lines if line["probabilities"]]
    if not sure:
        return None
    confidence = [min(1.0, max(line["probabilities"])) for line in sure]
    scores, videos = [line["correct"] for line in sure], [line["video"] for line in sure]
    return calibration(confidence, scores, videos, seed=seed)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
