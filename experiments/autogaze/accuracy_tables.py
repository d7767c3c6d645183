"""The tables of experiments/autogaze/accuracy.py, from its rows alone: nothing is run here."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.common import Row, interval, markdown

BUDGET = "budget"
SHOWN = 0.05  # a corrected p below it


def tables(rows: Sequence[Row]) -> list[str]:
    """Returns Markdown tables for each setting.

    They show accuracy, differences with uniform and with attention, and the gaze's own stopping.
    """
    found = []
    for setting in dict.fromkeys(row["setting"] for row in rows):
        here = [row for row in rows if row["setting"] == setting]
        kept = [row for row in here if row["ends"] == BUDGET]
        found += [accuracy(kept), difference(kept, "uniform"), difference(kept, "attention")]
        found += [stopping([row for row in here if row["ends"] != BUDGET])]
    return found


def accuracy(rows: Sequence[Row]) -> str:
    """Returns a Markdown table of the accuracy of every way at every number kept."""
    return _grid(rows, "accuracy [95 %]", {(row["run"], row["kept"]): interval(row) for row in rows})


def difference(rows: Sequence[Row], other: str) -> str:
    """Returns a Markdown table of every way minus `other`, with a star where Holm's corrected p is below .05."""
    others = [row for row in rows if row["run"] != other]
    return _grid(others, f"minus {other} [95 %]", {(row["run"], row["kept"]): apart(row, other) for row in others})


def apart(row: Row, other: str) -> str:
    """Formats a row's difference with `other` as `.120 [.050, .190] *`; the star stands for a corrected p below .05."""
    return interval(row, other) + (" *" if row[f"{other}_p_holm"] < SHOWN else "")


def stopping(rows: Sequence[Row]) -> str:
    """Returns a Markdown table of what the gaze keeps by its own threshold.

    Beside it stand the references with as many tokens.
    """
    cell = {(row["ends"], row["run"]): row for row in rows}
    stops = list(dict.fromkeys(row["ends"] for row in rows))
    lines = []
    for stop in stops:
        own = cell[stop, "autogaze"]
        others = [interval(cell[stop, other]) for other in ("uniform", "attention")]
        minus = [apart(own, other) for other in ("uniform", "attention")]
        lines.append([stop, f"{own['tokens_kept']:.0f}", interval(own), *others, *minus])
    return markdown(
        ["ends at", "tokens", "autogaze", "uniform, as many", "attention", "minus uniform", "minus attention"], lines
    )


def _grid(rows: Sequence[Row], corner: str, cells: dict[tuple[str, int], str]) -> str:
    """Ways down, numbers kept across."""
    counts, ways = (list(dict.fromkeys(row[key] for row in rows)) for key in ("kept", "run"))
    head = [corner, *(f"{count} kept" for count in counts)]
    return markdown(head, [[way, *(cells[way, count] for count in counts)] for way in ways])
