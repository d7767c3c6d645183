"""Which runs can be compared: those that answered the same questions of the same benchmark. Says what is left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from framework.core.errors import UsageError
from framework.evaluation.naming import name_runs
from framework.evaluation.runs import Run


@dataclass(frozen=True)
class Part:
    """Holds the runs of one benchmark over their common questions. `reference` is one of these runs."""

    benchmark: str
    runs: tuple[Run, ...]
    reference: Run
    questions: tuple[str, ...]  # in the order of the reference
    videos: tuple[str, ...]  # of each question
    dropped: int  # questions that some run has and another has not


def match(runs: Sequence[Run], reference: str = "") -> tuple[list[Part], list[str]]:
    """Returns the parts that can be compared, and warnings.

    `reference` is a run's name, id, folder or preset; by default it is the first run. Raises UsageError when there is
    nothing to compare, or when no run or more than one is meant.
    """
    if len(runs) < 2:
        raise UsageError(
            f"comparing takes at least two runs, got {len(runs)}: {', '.join(str(run.folder) for run in runs)}"
        )
    groups = name_runs(_overlapping(runs))
    labels = _labels(groups)
    chosen = _chosen([run for group in groups for run in group], reference)
    parts, warnings = [], []
    for label, group in zip(labels, groups, strict=True):
        if len(group) < 2:
            warnings.append(f"{group[0].name} is the only run with these questions of {label}: left out")
            continue
        same = [run for run in group if run is chosen or run.name == chosen.name]
        if not same:
            warnings.append(f"{label}: {chosen.name} has no run there; the reference is {group[0].name}")
        part = _part(label, group, same[0] if same else group[0])
        parts.append(part)
        warnings += _warnings(part)
    if not parts:
        raise UsageError(
            f"no two of the {len(runs)} runs answered a common question of the same benchmark: "
            + ", ".join(f"{run.name} ({label})" for label, group in zip(labels, groups, strict=True) for run in group)
        )
    return parts, warnings


def _overlapping(runs: Sequence[Run]) -> list[list[Run]]:
    """Runs of one benchmark that share questions, directly or through others."""
    groups: list[list[Run]] = []
    for run in runs:
        near = [
            group
            for group in groups
            if any(run.benchmark == other.benchmark and run.lines.keys() & other.lines.keys() for other in group)
        ]
        if not near:
            groups.append([run])
            continue
        near[0].append(run)
        for other in near[1:]:
            near[0].extend(other)
            groups.remove(other)
    return groups


def _labels(groups: Sequence[Sequence[Run]]) -> list[str]:
    """The benchmark's name, with the keys of the benchmark that differ where several groups have the same name."""
    labels: list[str] = []
    for group in groups:
        name = group[0].benchmark
        alike = [other[0].config for other in groups if other[0].benchmark == name]
        keys = sorted({key for config in alike for key in config if key.startswith("benchmark.")})
        varied = [key for key in keys if len({config.get(key) for config in alike}) > 1]
        known = [key for key in varied if key in group[0].config]
        label = ", ".join([name, *(f"{key.removeprefix('benchmark.')} {group[0].config[key]}" for key in known)])
        number = labels.count(label) + 1
        labels.append(label if number == 1 else f"{label} ({number})")
    return labels


def _chosen(runs: Sequence[Run], reference: str) -> Run:
    if not reference:
        return runs[0]
    for run in runs:
        if reference in (run.name, run.id) or run.folder.resolve() == Path(reference).resolve():
            return run
    presets = [run for run in runs if run.preset == reference]
    if len({run.name for run in presets}) == 1:
        return presets[0]
    raise UsageError(
        f"--reference {reference}: {'several runs have this preset' if presets else 'there is no such run'}; "
        f"expected a folder or one of: {'; '.join(dict.fromkeys(run.name for run in presets or runs))}"
    )


def _part(label: str, group: Sequence[Run], reference: Run) -> Part:
    common = set.intersection(*(set(run.lines) for run in group))
    if not common:
        sizes = ", ".join(f"{run.name} ({len(run.lines)})" for run in group)
        raise UsageError(f"{label}: no question was answered by all of these runs: {sizes}; compare fewer at once")
    questions = tuple(name for name in reference.lines if name in common)
    videos = tuple(str(reference.lines[name]["video"]) for name in questions)
    everything = set().union(*(run.lines for run in group))
    return Part(label, tuple(group), reference, questions, videos, len(everything) - len(common))


def _warnings(part: Part) -> list[str]:
    """What a reader must know before believing the table."""
    said = []
    everything = set().union(*(run.lines for run in part.runs))
    for run in part.runs:
        if not run.finished:
            said.append(f"{part.benchmark}: {run.name} is not finished, {len(run.lines)} questions so far")
        if lacking := everything - run.lines.keys():
            failed = len(lacking & run.failed)
            why = ", ".join(
                f"{count} {what}"
                for count, what in ((failed, "failed"), (len(lacking) - failed, "not asked or not answered yet"))
                if count
            )
            said.append(f"{part.benchmark}: {run.name} lacks {len(lacking)} of {len(everything)} questions ({why})")
        for field, what in (("prompt", "asked differently"), ("right", "hold another answer for right")):
            theirs = part.reference.lines
            if other := sum(run.lines[name][field] != theirs[name][field] for name in part.questions):
                count = f"{other} of {len(part.questions)} questions"
                said.append(f"{part.benchmark}: the runs {what}, {run.name} and {part.reference.name}, in {count}")
    return said
