"""From runs to rows: thresholds over lengths and budgets, accuracy on the other splits; and rows added to a file."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.common import accuracies, read, with_holm, write
from experiments.yardstick.protocol import Protocol
from framework.core.errors import UsageError
from framework.evaluation.metrics import known_mean
from framework.evaluation.runs import load
from framework.evaluation.scale import measure
from framework.evaluation.threshold import Found
from framework.evaluation.versus import versus

REFERENCE = "adapttoken"
RESAMPLES = 2_000
PLACE = ("split", "frames", "budget", "method")  # what says of which measurement a row is
PAIRED = ("n", "accuracy", "threshold_least", "threshold_most")  # columns of the reference that others are paired with
Words = Mapping[str, Sequence[str]]


def threshold_rows(protocol: Protocol, words: Words, budgets: Sequence[int]) -> list[dict[str, Any]]:
    """Returns one row per length, budget and method: threshold, ratio to the reference, accuracy at each opacity.

    Without the reference ratios are to the first method.
    """
    found = []
    for frames in protocol.frames:
        folders: dict[int, dict[str, dict[float, list[Path]]]] = {}
        for seed in protocol.seeds:
            for opacity in protocol.opacities:
                cell = protocol.cell(frames, "attribute", opacity, seed)
                for name, mine in words.items():
                    for budget in budgets:
                        run = cell.answered(name, mine, budget)
                        folders.setdefault(budget, {}).setdefault(name, {}).setdefault(opacity, []).append(run)
        for budget, scale in folders.items():
            found += [{"frames": frames, "budget": budget, **row} for row in _scale(scale)]
    return found


def split_rows(protocol: Protocol, words: Words, splits: Sequence[str], budget: int) -> list[dict[str, Any]]:
    """Returns one row per split, length and method: accuracy on opaque needles, paired with the reference.

    The p-value flips whole videos.
    """
    found = []
    for split in splits:
        for frames in protocol.frames:
            cells = [protocol.cell(frames, split, 1.0, seed) for seed in protocol.seeds]
            runs = {name: [c.answered(name, mine, budget) for c in cells] for name, mine in words.items()}
            lines = {
                name: {line["id"]: line for run in same for line in load(run).lines.values()}
                for name, same in runs.items()
            }
            reference = REFERENCE if REFERENCE in lines else next(iter(lines))
            theirs = list(lines[reference].values())
            videos = [str(line["video"]) for line in theirs]
            for name, mine in lines.items():
                ours = [mine[line["id"]] for line in theirs]
                against = versus(ours, theirs, videos) if name != reference else None
                found.append(
                    {
                        "split": split,
                        "frames": frames,
                        "budget": budget,
                        "method": name,
                        "n": len(ours),
                        **accuracies(ours, videos, against),
                        "p": against.p_videos if against else None,
                        "evidence_kept": known_mean(ours, "evidence_kept"),
                    }
                )
    return found


def check_paired(path: Path, names: Collection[str]) -> None:
    """Checks that rows of methods `names` are paired with the reference, as those are that stay in a CSV file.

    Raises UsageError where they are not: ratios to different methods would stand under one title.
    """
    there = {row["method"] for row in read(path)} if path.is_file() else set()
    if there <= set(names) or (REFERENCE in names and REFERENCE in there):
        return
    missing = f"methods= does not name {REFERENCE}" if REFERENCE in there else f"{path} has no row of {REFERENCE}"
    raise UsageError(
        f"{path}: its rows and new ones would be paired with different methods, for {missing}: name it in methods=, "
        "or write to another folder with results="
    )


def add(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes rows into a CSV file. What was measured of other methods, lengths, budgets and splits stays in it.

    Holm's correction of p-values is over the whole file. Raises UsageError where the file has other columns, such as
    those of other opacities, and where the reference was found otherwise: what stays would be paired with what is gone.
    """
    place = [key for key in PLACE if key in rows[0]]
    taken = {tuple(row[key] for key in place) for row in rows}
    there = [_plain(row) for row in (read(path) if path.is_file() else [])]
    if there and list(there[0]) != list(rows[0]):
        other = sorted(set(there[0]) ^ set(rows[0]))
        raise UsageError(f"{path} was measured otherwise ({', '.join(other)}): move it away, or ask as it was asked")
    before = {tuple(row[key] for key in place): row for row in there if row["method"] == REFERENCE}
    for row in rows:
        old = before.get(tuple(row[key] for key in place), row)
        if other := [key for key in row if key.startswith(PAIRED) and not _alike(old[key], row[key])]:
            raise UsageError(
                f"{path}: {REFERENCE} had {other[0]}={old[other[0]]} and now has {row[other[0]]}, with which the other "
                "rows are not paired: move the file away, and measure all methods again"
            )
    every = [*(row for row in there if tuple(row[key] for key in place) not in taken), *rows]
    every.sort(key=lambda row: [*(row[key] for key in place if key != "method"), row["method"] != REFERENCE])
    write(path, with_holm(every) if "p" in rows[0] else every)


def _alike(old: Any, new: Any) -> bool:
    """Says whether two cells are the same number, as a CSV file keeps it, or the same text."""
    numbers = isinstance(old, int | float) and isinstance(new, int | float)
    return math.isclose(old, new, rel_tol=1e-5) if numbers else old == new


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != "p_holm"}


def _scale(scale: Mapping[str, Mapping[float, Sequence[Path]]]) -> list[dict[str, Any]]:
    """Rows of all methods at one length and budget; the reference stands first, so that ratios are to it."""
    first = REFERENCE if REFERENCE in scale else next(iter(scale))
    ordered = {name: scale[name] for name in (first, *(name for name in scale if name != first))}
    return [
        {
            "method": method.name,
            "n": method.n,
            "videos": method.videos,
            **_found("threshold", method.threshold.value),
            **_found("ratio", method.threshold.ratio),
            **{f"accuracy_{cell.opacity:g}": cell.accuracy.value for cell in method.cells},
            **{f"kept_{cell.opacity:g}": cell.evidence_kept for cell in method.cells},
        }
        for method in measure(ordered, RESAMPLES)
    ]


def _found(name: str, found: Found | None) -> dict[str, Any]:
    ends = ("least", "most", "low", "high")
    return {f"{name}_{end}": None if found is None else getattr(found, end) for end in ends}
