"""What runs were configured with that the reference was not, as a table. An exchanged object is one row."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from framework.evaluation.naming import NOT_SET, Difference
from framework.report.tables import Sheet

TARGET = "_target_"  # the key of a class in the configuration


def configuration_sheet(found: Sequence[Difference]) -> Sheet:
    """Builds the sheet with the resolved keys and versions that differ from the reference's.

    An exchanged object is one row for all its runs.
    """
    runs: dict[tuple[str, str, str], list[str]] = {}
    for _, group in groupby(found, key=lambda one: (one.benchmark, one.run)):
        differences = list(group)
        for cells in _exchanged(differences):
            runs.setdefault(cells, []).append(differences[0].run)
    rows = [(*cells, ", ".join(dict.fromkeys(names))) for cells, names in sorted(runs.items())]
    columns = ("what", "reference's", "run's", "runs")
    return Sheet("what differs from the reference", columns, tuple(rows), texts=4)


def _exchanged(differences: Sequence[Difference]) -> list[tuple[str, str, str]]:
    """Key and both values; of an object of another class, class and arguments as far as they differ."""
    nodes = [one.key.removesuffix(f".{TARGET}") for one in differences if one.key.endswith(f".{TARGET}")]
    of = {one.key: next((node for node in nodes if one.key.startswith(f"{node}.")), one.key) for one in differences}
    cells = []
    for key in dict.fromkeys(of.values()):
        below = [one for one in differences if of[one.key] == key]
        sides = ([(one.key, one.reference) for one in below], [(one.key, one.value) for one in below])
        theirs, ours = (_object(key, side) if key in nodes else side[0][1] for side in sides)
        cells.append((key, theirs, ours))
    return cells


def _object(node: str, values: Sequence[tuple[str, str]]) -> str:
    """`Class(argument=value, ...)` of the keys below a node."""
    known = {key.removeprefix(f"{node}."): value for key, value in values if value != NOT_SET}
    name = known.pop(TARGET, NOT_SET).rpartition(".")[2]
    return f"{name}({', '.join(f'{key}={value}' for key, value in known.items())})" if known else name
