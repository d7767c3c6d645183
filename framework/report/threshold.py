"""Thresholds as tables for people and programs. Their figures come from framework/evaluation/scale.py."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from framework.config.identity import whole
from framework.evaluation.scale import Method
from framework.evaluation.threshold import Found
from framework.report.comparison import EVIDENCE, NONE, evidence, number
from framework.report.tables import Sheet, as_markdown

TABLE, CELLS = "thresholds.csv", "accuracy.csv"


def sheets(methods: Sequence[Method]) -> list[Sheet]:
    """Builds two sheets: thresholds with accuracy at each opacity, and the evidence kept there."""
    first = methods[0]
    opacities = tuple(f"{cell.opacity:g}" for cell in first.cells)
    main = Sheet(
        f"threshold: the opacity at which a method is right half-way between chance ({first.threshold.curve.chance:g}) "
        f"and 1, with its 95 % interval; then the accuracy at each opacity",
        ("preset", "threshold [95 %]", f"ratio to {first.name} [95 %]", *opacities, "operations/question"),
        tuple(_row(method) for method in methods),
        notes=(
            f"{first.n} questions on {first.videos} videos at each opacity, the same for every preset; bootstrap over "
            "videos, paired; lower is better",
            *_notes(methods),
        ),
    )
    shares = tuple(
        (method.name, *(evidence(cell.evidence_found, cell.evidence_kept) for cell in method.cells))
        for method in methods
    )
    return [main, Sheet("evidence kept at each opacity", ("preset", *opacities), shares, notes=(EVIDENCE,))]


def _row(method: Method) -> tuple[str, ...]:
    ratio = method.threshold.ratio
    return (
        method.name,
        found_text(method.threshold.value),
        found_text(ratio) if ratio else "reference",
        *(f"{cell.accuracy.value:.2f}" for cell in method.cells),
        number(method.operations, ".3g"),
    )


def _notes(methods: Sequence[Method]) -> list[str]:
    """What must be known to read the table rightly."""
    found = [method.threshold.value for method in methods]
    outside = any(one.least != one.most for one in found)
    alike = [method.name for method in methods if math.isnan(method.threshold.value.low)]
    beyond = found[0].least != found[0].most
    return [
        *(
            [f"{methods[0].name} is beyond the scale, and ratios to it are bounds: name another first"]
            if beyond
            else []
        ),
        *(["< and >: beyond the scale, where nothing is extrapolated; add opacities there"] if outside else []),
        *([f"{', '.join(alike)}: no interval, all videos have the same answers"] if alike else []),
    ]


def found_text(found: Found) -> str:
    """Formats an estimate with its interval; one that lies beyond the scale as `< 0.03` or `> 1`."""
    if found.least == 0 and math.isinf(found.most):
        return NONE
    if found.least == 0:
        value = f"< {found.most:.3g}"
    else:
        value = f"> {found.least:.3g}" if math.isinf(found.most) else f"{found.least:.3g}"
    return value if math.isnan(found.low) else f"{value} [{_bound(found.low)}, {_bound(found.high)}]"


def _bound(value: float) -> str:
    return "∞" if math.isinf(value) else f"{value:.3g}"


def write(folder: Path, methods: Sequence[Method]) -> None:
    """Writes threshold.md, thresholds.csv (a line per preset) and accuracy.csv (a line per preset and opacity)."""
    folder.mkdir(parents=True, exist_ok=True)
    whole(folder / "threshold.md", "\n".join(as_markdown(sheet) for sheet in sheets(methods)))
    _csv(folder / TABLE, [_line(method) for method in methods])
    _csv(
        folder / CELLS,
        [
            {
                "preset": method.name,
                "opacity": cell.opacity,
                "n": method.n,
                "accuracy": cell.accuracy.value,
                "accuracy_low": cell.accuracy.low,
                "accuracy_high": cell.accuracy.high,
                "fitted": float(method.threshold.curve(np.array(cell.opacity))),
                "evidence_found": cell.evidence_found,
                "evidence_kept": cell.evidence_kept,
            }
            for method in methods
            for cell in method.cells
        ],
    )


def _line(method: Method) -> dict[str, Any]:
    threshold = method.threshold
    curve = threshold.curve
    return {
        "preset": method.name,
        "n": method.n,
        "videos": method.videos,
        **_found("threshold", threshold.value),
        **_found("ratio", threshold.ratio or Found(1, 1)),
        "chance": curve.chance,
        "location": math.exp(curve.location),
        "slope": curve.slope,
        "top": curve.top,
        "operations_per_question": method.operations,
    }


def _found(name: str, found: Found) -> dict[str, float]:
    return {f"{name}_{end}": getattr(found, end) for end in ("least", "most", "low", "high")}


def _csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: _plain(value) for key, value in row.items()} for row in rows)


def _plain(value: Any) -> Any:
    """Six significant digits; nothing where a figure is not known."""
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return "" if value is None else value
