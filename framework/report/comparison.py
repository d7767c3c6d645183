"""A comparison as tables for people. It computes nothing: the figures come from framework/evaluation/comparison.py."""

from __future__ import annotations

import math
from collections.abc import Sequence

from framework.evaluation.comparison import Comparison, Row
from framework.evaluation.extremes import extreme
from framework.evaluation.matching import Part
from framework.evaluation.statistics import Interval
from framework.report.exchanged import configuration_sheet
from framework.report.tables import Sheet

NONE = "–"
P = "p: sign flips of whole videos"
EVIDENCE = "evidence: share of questions with a token of every span kept / share of the evidence's tokens kept"
MCNEMAR = "McNemar: exact p that takes questions for independent, not corrected"


def sheets(comparison: Comparison) -> list[Sheet]:
    """Builds all sheets of a comparison.

    They hold differences, agreement and cost per benchmark, strata, signals, calibration and configurations.
    """
    made = []
    for part in comparison.parts:
        rows = [row for row in comparison.rows if row.benchmark == part.benchmark]
        strata = [row for row in comparison.strata if row.benchmark == part.benchmark]
        made += [difference_sheet(part, rows, _comparisons(comparison.rows)), agreement_sheet(part, rows)]
        made += [strata_sheet(part, strata, _comparisons(comparison.strata))] if strata else []
    made += [signal_sheet(part, comparison) for part in comparison.parts]
    made += [calibration_sheet(comparison)] if comparison.calibrations else []
    return made + ([configuration_sheet(comparison.differences)] if comparison.differences else [])


def difference_sheet(part: Part, rows: Sequence[Row], family: int) -> Sheet:
    """Builds the sheet with accuracy, paired difference, tests and power.

    p is corrected for `family` comparisons.
    """
    corrected = [row.versus.p_videos_holm for row in rows if row.versus]
    limit = extreme([row.accuracy for row in rows], rows[0].chance, corrected)
    notes = [f"{row.run}: {row.versus.note}" for row in rows if row.versus and row.versus.note]
    dropped = f"; {part.dropped} that not all runs have are left out" if part.dropped else ""
    columns = ("run", "accuracy [95 %]", "difference [95 %]", "p", "p Holm", "McNemar", "detectable")
    return Sheet(
        f"{part.benchmark}: {len(part.questions)} questions on {len(set(part.videos))} videos{dropped}; "
        f"differences to {part.reference.name}",
        columns,
        tuple((row.run, str(row.accuracy), *_versus(row)) for row in rows),
        notes=(
            f"{P}; p Holm: corrected for {family} comparisons; {MCNEMAR}; detectable: with 80 % chance",
            *filter(None, [limit]),
            *notes,
        ),
    )


def agreement_sheet(part: Part, rows: Sequence[Row]) -> Sheet:
    """Builds the sheet that says who was right where the other was not, and what it cost."""
    agreement = ("run", "both right", "only run", "only ref", "both wrong", "same answer")
    known = any(row.evidence_found is not None for row in rows)
    columns = (*agreement, *(["evidence"] if known else []), "groups", "kept", "s/question")
    return Sheet(
        f"{part.benchmark}: agreement with {part.reference.name} (ref), and cost",
        columns,
        tuple(
            (
                row.run,
                *_agreement(row),
                *([evidence(row.evidence_found, row.evidence_kept)] if known else []),
                *_cost(row),
            )
            for row in rows
        ),
        notes=("groups: share visited; kept: tokens per question", *([EVIDENCE] if known else [])),
    )


def strata_sheet(part: Part, rows: Sequence[Row], family: int) -> Sheet:
    """Builds the sheet with accuracy, paired difference, tests and power per stratum, one line per run.

    p is corrected for `family` comparisons.
    """
    columns = ("stratum", "run", "n", "accuracy [95 %]", "difference [95 %]", "p", "p Holm", "detectable")
    return Sheet(
        f"{part.benchmark}: strata; differences to {part.reference.name}",
        columns,
        tuple(
            (
                f"{row.dimension} {row.label}",
                row.run,
                str(row.n),
                str(row.accuracy),
                *_versus(row)[:3],
                *_versus(row)[4:],
            )
            for row in rows
        ),
        texts=2,
        notes=(f"{P}; p Holm: corrected for {family} comparisons of strata",),
    )


def signal_sheet(part: Part, comparison: Comparison) -> Sheet:
    """Builds the sheet with AUROC and Spearman's correlation of every signal with correctness, where defined."""
    mine = [(run, one) for benchmark, run, one in comparison.signals if benchmark == part.benchmark]
    found = [(run, one) for run, one in mine if not math.isnan(one.auroc.value)]
    hidden = len(mine) - len(found)
    none = "that never vary, or with answers that are all right or all wrong, are left out"
    columns = ("run", "read of", "signal", "n", "right", "Spearman", "AUROC [95 %]")
    return Sheet(
        f"{part.benchmark}: signals against correctness",
        columns,
        tuple(
            (run, one.reading, one.signal, str(one.n), str(one.right), number(one.spearman), interval(one.auroc))
            for run, one in found
        ),
        texts=3,
        notes=(
            "AUROC: chance that the signal is higher in a right answer than in a wrong one",
            *([f"{hidden} signals {none}"] if hidden else []),
        ),
    )


def calibration_sheet(comparison: Comparison) -> Sheet:
    """Builds the sheet that says whether answers are right as often as their probability says."""
    columns = ("benchmark", "run", "n", "confidence", "accuracy", "error", "if calibrated", "Brier [95 %]")
    return Sheet(
        "calibration of the answer's probability",
        columns,
        tuple(
            (
                benchmark,
                run,
                str(c.n),
                *(number(one) for one in (c.confidence, c.accuracy, c.error)),
                f"≤ {number(c.consistent)}",
                interval(c.brier),
            )
            for benchmark, run, c in comparison.calibrations
        ),
        texts=2,
        notes=(
            "error: expected calibration error; if calibrated: at most this, 95 times in 100, if answers were right "
            "as often as their probability says",
        ),
    )


def number(value: float | None, shape: str = ".3f") -> str:
    """Formats a figure, or a dash where there is none."""
    return NONE if value is None or math.isnan(value) else format(value, shape)


def interval(found: Interval) -> str:
    """Formats a figure with its interval, without it where there is none."""
    return number(found.value) if math.isnan(found.low) else str(found)


def evidence(found: float | None, kept: float | None) -> str:
    """Formats both shares of evidence, or dashes where they are not known."""
    return NONE if found is None and kept is None else f"{number(found, '.0%')} / {number(kept, '.0%')}"


def probability(p: float) -> str:
    """Formats a p-value: with three digits, with four below .001, and as `< .0001` below that."""
    return "< .0001" if p < 0.0001 else f"{p:.4f}" if p < 0.001 else f"{p:.3f}"


def mcnemar(p: float | None) -> str:
    """Formats McNemar's p, or a dash where scores are graded."""
    return NONE if p is None else probability(p)


def _comparisons(rows: Sequence[Row]) -> int:
    return sum(row.versus is not None for row in rows)


def _versus(row: Row) -> tuple[str, ...]:
    """Difference, p, p corrected, McNemar's p, what is detectable."""
    if row.versus is None:
        return ("reference", "", "", "", "")
    v = row.versus
    d = v.difference
    shown = f"{d.value:+.3f}" if math.isnan(d.low) else f"{d.value:+.3f} [{d.low:+.3f}, {d.high:+.3f}]"
    flips = (probability(v.p_videos), probability(v.p_videos_holm))
    return (shown, *flips, mcnemar(v.p_mcnemar), number(v.detectable))


def _agreement(row: Row) -> tuple[str, ...]:
    if row.versus is None:
        return ("reference", "", "", "", "")
    v = row.versus
    return (str(v.both_right), str(v.only_run), str(v.only_reference), str(v.both_wrong), f"{v.same_answer:.0%}")


def _cost(row: Row) -> tuple[str, ...]:
    return (f"{row.groups_visited:.0%}", f"{row.tokens_kept:.1f}", number(row.seconds, ".2f"))
