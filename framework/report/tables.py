"""A table of text that can be shown in a terminal and written as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True)
class Sheet:
    """Holds rows of text under a title. The first `texts` columns are words, the others figures."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: int = 1
    notes: tuple[str, ...] = ()


def as_table(sheet: Sheet) -> Table:
    """Makes a table for a terminal. Words wrap, figures do not."""
    title, caption = Text(sheet.title, "table.title"), Text("\n".join(sheet.notes), "table.caption")
    table = Table(title=title, title_justify="left", caption=caption, caption_justify="left")
    for place, column in enumerate(sheet.columns):
        text = place < sheet.texts
        table.add_column(Text(column), justify="left" if text else "right", no_wrap=not text, overflow="fold")
    for row in sheet.rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def print_sheet(out: Console, sheet: Sheet) -> None:
    """Prints a sheet.

    Where there is no terminal, the table is as wide as it needs to be. On a narrow terminal figures wrap.
    """
    table = as_table(sheet)
    for column in table.columns:
        column.no_wrap = False
    if not out.is_terminal:
        out.width = max(out.width, Measurement.get(out, out.options.update(width=1000), table).maximum)
    out.print(table)


def as_markdown(sheet: Sheet, level: int = 2) -> str:
    """Formats a sheet as Markdown: a heading, the table, the notes."""
    rule = [":--" if place < sheet.texts else "--:" for place in range(len(sheet.columns))]
    rows = [_line(sheet.columns), _line(rule), *(_line(row) for row in sheet.rows)]
    return "\n\n".join(["#" * level + " " + sheet.title, "\n".join(rows), *sheet.notes]) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
