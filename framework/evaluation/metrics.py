"""From an outcome to its line, and from lines to a summary. Pure; knows no files, no model, no benchmark by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from framework.benchmarks.base import Item
from framework.evaluation.statistics import RESAMPLES, mean_interval
from framework.outcome import GroupTrace, Outcome
from framework.types import Selection

Line = Mapping[str, Any]


def question_line(video: str, item: Item, outcome: Outcome, score: float) -> dict[str, Any]:
    """What is the same in every run of one configuration: no seconds, no memory."""
    answer, trace = outcome.answer, outcome.trace
    return {
        "id": item.question.id,
        "video": video,
        "split": item.split,
        "right": item.right,
        "choice": answer.choice,
        "text": answer.text,
        "correct": score,
        "probabilities": answer.probabilities,
        "entropy": answer.entropy,
        "groups_total": len(trace.groups),
        "groups_visited": sum(group.visited is not None for group in trace.groups),
        "tokens_total": trace.tokens_total,
        "tokens_seen": trace.tokens_seen,
        "tokens_kept": trace.tokens_kept,
        "evidence_found": evidence_found(outcome.selection, item.evidence),
        **{f"fact_{name}": fact for name, fact in item.facts.items()},
    }


def timing_line(item: Item, outcome: Outcome) -> dict[str, Any]:
    """What differs from run to run: seconds per stage, peak memory."""
    stages = outcome.trace.stages
    return {
        "id": item.question.id,
        "seconds": sum(cost.seconds for cost in stages.values()),
        "stages": {name: cost.seconds for name, cost in stages.items()},
        "passes": {name: cost.passes for name, cost in stages.items()},
        "flops": sum(cost.flops for cost in stages.values()),
        "frames_decoded": outcome.trace.frames_decoded,
        "peak_bytes": outcome.trace.peak_bytes,
    }


def best_group(groups: Sequence[GroupTrace]) -> GroupTrace | None:
    """The most relevant of the visited groups, of equals the one that kept more."""
    visited = [group for group in groups if group.relevance is not None]
    return max(visited, key=lambda group: (group.relevance, group.kept, -group.index)) if visited else None


def evidence_found(selection: Selection | None, evidence: Sequence[tuple[float, float]]) -> bool | None:
    """Whether of every span of evidence some token was kept; None where evidence is unknown or nothing was selected."""
    if not evidence or selection is None:
        return None
    kept = selection.tokens.seconds
    return all(bool(((kept >= start) & (kept < end)).any()) for start, end in evidence)


def summarise(lines: Sequence[Line], timings: Sequence[Line], resamples: int = RESAMPLES) -> dict[str, Any]:
    """Accuracy with its video-clustered interval, shares and means, the same per split, and what it cost."""
    seconds: dict[str, float] = {}
    for timing in timings:
        for stage, spent in timing["stages"].items():
            seconds[stage] = seconds.get(stage, 0.0) + spent
    return {
        **_figures(lines, resamples),
        "splits": {
            split: _figures([line for line in lines if line["split"] == split], resamples)
            for split in sorted({line["split"] for line in lines})
        },
        "seconds": sum(timing["seconds"] for timing in timings),
        "seconds_per_question": sum(timing["seconds"] for timing in timings) / max(1, len(timings)),
        "seconds_by_stage": seconds,
        "peak_bytes": max((timing["peak_bytes"] for timing in timings), default=0),
    }


def _figures(lines: Sequence[Line], resamples: int) -> dict[str, Any]:
    count = len(lines)
    if not count:
        return {"accuracy": None, "n": 0}
    accuracy = mean_interval([line["correct"] for line in lines], [line["video"] for line in lines], resamples)
    known = [line["evidence_found"] for line in lines if line["evidence_found"] is not None]
    return {
        "accuracy": accuracy.value,
        "accuracy_interval": [accuracy.low, accuracy.high],
        "n": count,
        "videos": len({line["video"] for line in lines}),
        "groups_visited_share": _mean([line["groups_visited"] / line["groups_total"] for line in lines]),
        "tokens_total": _mean([line["tokens_total"] for line in lines]),
        "tokens_seen": _mean([line["tokens_seen"] for line in lines]),
        "tokens_kept_mean": _mean([line["tokens_kept"] for line in lines]),
        "evidence_found": _mean(known) if known else None,
    }


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
