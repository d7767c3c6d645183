"""Makes the line of an outcome, and the summary of many lines: pure functions of values."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from framework.benchmarks.base import Benchmark, Item, Result
from framework.core.outcome import GroupTrace, Outcome
from framework.core.types import Question
from framework.evaluation.evidence import evidence_found, evidence_kept
from framework.evaluation.statistics import RESAMPLES, mean_interval

Line = Mapping[str, Any]


def question_line(video: str, item: Item, outcome: Outcome, result: Result) -> dict[str, Any]:
    """Builds the line of a question: what is the same in every run of one configuration, no seconds, no memory."""
    answer, trace, question = outcome.answer, outcome.trace, outcome.question
    return {
        "id": question.id,
        "video": video,
        "prompt": prompt_hash(question),
        "question": question.bare,
        "options": question.options,
        "answer": result.response,
        "choice": answer.choice,
        "parsed": result.parsed,
        "right": item.right,
        "correct": result.correct,
        "probabilities": answer.probabilities,
        "entropy": answer.entropy,
        "strata": item.strata,
        "groups_total": len(trace.groups),
        "groups_visited": sum(group.visited is not None for group in trace.groups),
        "tokens_total": trace.tokens_total,
        "tokens_seen": trace.tokens_seen,
        "tokens_kept": trace.tokens_kept,
        "evidence_found": evidence_found(outcome.selection, item.evidence),
        "evidence_kept": evidence_kept(outcome.selection, trace.offered, item),
        "facts": item.facts,
        "groups": group_columns(trace.groups),
        **_unless_zero(damaged_ticks=trace.damaged_ticks),
    }


def scored_fields(item: Item, result: Result) -> dict[str, Any]:
    """Returns the part of a question's line that follows from the annotations and the response."""
    return {
        "parsed": result.parsed,
        "right": item.right,
        "correct": result.correct,
        "strata": item.strata,
        "facts": item.facts,
    }


def group_columns(groups: Sequence[GroupTrace]) -> dict[str, Any]:
    """Lists what became of every group, as one list per figure; null where a group was not visited."""
    signals = sorted({name for group in groups for name in group.signals})
    plain = ("visited", "relevance", "quota", "kept", "choice")
    return {
        **{name: [None if g.visited is None else getattr(g, name) for g in groups] for name in plain},
        "signals": {name: [group.signals.get(name) for group in groups] for name in signals},
    }


def prompt_hash(question: Question) -> str:
    """Returns twelve characters that name the exact words of a question."""
    return hashlib.sha256(f"{question.prompt}\0{question.cue}".encode()).hexdigest()[:12]


def timing_line(item: Item, outcome: Outcome) -> dict[str, Any]:
    """Builds the timing line of a question: what differs from run to run, seconds per stage and peak memory."""
    stages = outcome.trace.stages
    return {
        "id": item.question.id,
        "seconds": sum(cost.seconds for cost in stages.values()),
        "stages": {name: cost.seconds for name, cost in stages.items()},
        "passes": {name: cost.passes for name, cost in stages.items()},
        "flops": sum(cost.flops for cost in stages.values()),
        **({"flops_by_model": apart} if (apart := outcome.trace.operations) else {}),
        "frames_decoded": outcome.trace.frames_decoded,
        "peak_bytes": outcome.trace.peak_bytes,
    }


def best_group(groups: Sequence[GroupTrace]) -> GroupTrace | None:
    """Returns the most relevant of the visited groups; None where none was visited.

    Of equals it is the one that kept more, then the earlier.
    """
    visited = [group for group in groups if group.relevance is not None]
    return max(visited, key=lambda group: (group.relevance, group.kept, -group.index)) if visited else None


def summarise(
    benchmark: Benchmark,
    lines: Sequence[Line],
    timings: Sequence[Line],
    failures: Sequence[Line] = (),
    resamples: int = RESAMPLES,
) -> dict[str, Any]:
    """Computes the summary of a run: the benchmark's own score, and accuracy with its video-clustered interval.

    It also holds the same per stratum, what could not be asked or answered, and what it cost.
    """
    seconds: dict[str, float] = {}
    for timing in timings:
        for stage, spent in timing["stages"].items():
            seconds[stage] = seconds.get(stage, 0.0) + spent
    absent = benchmark.absent
    return {
        "benchmark": benchmark.name,
        "score": benchmark.aggregate([_result(line) for line in lines]),
        **_figures(lines, resamples),
        "unparsed": sum(line["parsed"] is None for line in lines),
        "failed": len(failures),
        "errors": {line["id"]: line["error"] for line in failures},
        "absent": {"videos": absent.videos, "rows": absent.rows},
        **_unless_zero(damaged_ticks=_damaged_ticks(lines)),
        "strata": {
            dimension: {label: _figures(part, resamples) for label, part in labels.items()}
            for dimension, labels in by_stratum(lines).items()
        },
        "seconds": sum(timing["seconds"] for timing in timings),
        "seconds_per_question": sum(timing["seconds"] for timing in timings) / max(1, len(timings)),
        "seconds_by_stage": seconds,
        "peak_bytes": max((timing["peak_bytes"] for timing in timings), default=0),
        **_operations(timings),
    }


def _operations(timings: Sequence[Line]) -> dict[str, dict[str, float]]:
    """Mean operations per question of prober and backbone, and of both; nothing where there was no prober."""
    apart = [timing["flops_by_model"] for timing in timings if "flops_by_model" in timing]
    if not apart:
        return {}
    means = {model: _mean([one[model] for one in apart]) for model in apart[0]}
    return {"operations": {**means, "total": sum(means.values())}}


def _unless_zero(**counts: int) -> dict[str, int]:
    """What is rare, and absent from the lines of healthy videos."""
    return {name: count for name, count in counts.items() if count}


def _damaged_ticks(lines: Sequence[Line]) -> int:
    """Over all videos; of each what the question that saw most of it was shown."""
    most: dict[str, int] = {}
    for line in lines:
        most[line["video"]] = max(most.get(line["video"], 0), line.get("damaged_ticks", 0))
    return sum(most.values())


def by_stratum(lines: Sequence[Line]) -> dict[str, dict[str, list[Line]]]:
    """Returns dimension -> label -> its lines. A line with several labels counts under each."""
    found: dict[str, dict[str, list[Line]]] = {}
    for line in lines:
        for dimension, labels in line["strata"].items():
            for label in labels:
                found.setdefault(dimension, {}).setdefault(label, []).append(line)
    return {dimension: dict(sorted(labels.items())) for dimension, labels in found.items()}


def _result(line: Line) -> Result:
    strata = {dimension: tuple(labels) for dimension, labels in line["strata"].items()}
    return Result(line["correct"], line["parsed"], line["answer"], strata)


def _figures(lines: Sequence[Line], resamples: int) -> dict[str, Any]:
    count = len(lines)
    if not count:
        return {"accuracy": None, "n": 0}
    accuracy = mean_interval([line["correct"] for line in lines], [line["video"] for line in lines], resamples)
    return {
        "accuracy": accuracy.value,
        "accuracy_interval": [accuracy.low, accuracy.high],
        "n": count,
        "videos": len({line["video"] for line in lines}),
        "groups_visited_share": _mean([line["groups_visited"] / line["groups_total"] for line in lines]),
        "tokens_total": _mean([line["tokens_total"] for line in lines]),
        "tokens_seen": _mean([line["tokens_seen"] for line in lines]),
        "tokens_kept_mean": _mean([line["tokens_kept"] for line in lines]),
        "evidence_found": known_mean(lines, "evidence_found"),
        "evidence_kept": known_mean(lines, "evidence_kept"),
    }


def known_mean(lines: Sequence[Line], key: str) -> float | None:
    """Returns the mean of `key` over the lines that know it, None where none does. Older runs may not have it."""
    known = [line[key] for line in lines if line.get(key) is not None]
    return _mean(known) if known else None


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
