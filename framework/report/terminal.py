"""An outcome in a terminal: the answer, its certainty, what became of every group, what it cost."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from framework.core.outcome import GroupTrace, Outcome

LISTED = 16  # groups that are listed one by one; more become a strip with the best ones below
BEST = 5
STRIP = 64  # columns of the strip
BARS = "▁▂▃▄▅▆▇█"
SKIPPED = "·"
WIDTH = 30  # columns of a full probability bar


def show(console: Console, outcome: Outcome) -> None:
    """Prints everything about one answer."""
    for part in (_answer(outcome), _groups(outcome.trace.groups), _tokens(outcome), _stages(outcome)):
        console.print(part)
        console.print()


def _answer(outcome: Outcome) -> RenderableType:
    question, answer = outcome.question, outcome.answer
    lines: list[RenderableType] = [Text(question.bare)]
    if answer.choice is None:
        lines.append(Text(answer.text or "(nothing)", "bold"))
    else:
        text = f"{question.letters[answer.choice]}  {question.options[answer.choice]}"
        lines.append(Text(text, "bold green"))
    if answer.entropy is not None:
        lines.append(Text(f"entropy of the answer {answer.entropy:.3f} nats", style="dim"))
    if answer.probabilities:
        table = _plain_table()
        for place, probability in enumerate(answer.probabilities):
            style = "bold green" if place == answer.choice else ""
            bar = "█" * round(WIDTH * probability)
            option = Text(question.options[place])
            table.add_row(Text(question.letters[place]), option, f"{probability:6.1%}", bar, style=style)
        lines.append(table)
    return Group(*lines)


def _groups(groups: Sequence[GroupTrace]) -> RenderableType:
    visited = [group for group in groups if group.visited is not None]
    head = Text.assemble(("groups", "bold"), f"  {len(visited)} of {len(groups)} visited")
    if len(groups) <= LISTED:
        return Group(head, _table(groups))
    best = sorted(visited, key=lambda group: (-(group.relevance or 0.0), group.index))[:BEST]
    relevance = [group.relevance for group in groups]
    kept = [float(group.kept) if group.visited is not None else None for group in groups]
    strips = _plain_table()
    strips.add_row("relevance", Text(strip(relevance), style="cyan"))
    strips.add_row("kept", Text(strip(kept), style="green"))
    place = f"{_span(groups[0])} … {_span(groups[-1])}"
    strips.add_row("", Text(f"{place}; {SKIPPED} skipped", style="dim"))
    return Group(head, strips, Text("the most relevant", style="dim"), _table(best))


def strip(values: Sequence[float | None], columns: int = STRIP) -> str:
    """Shows values as a row of bars, at most `columns` wide.

    A column shows its highest value, or that all were skipped.
    """
    columns = min(columns, len(values))
    known = [value for value in values if value is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    cells = []
    for column in range(columns):
        part = values[column * len(values) // columns : (column + 1) * len(values) // columns]
        seen = [value for value in part if value is not None]
        height = (max(seen) - low) / (high - low) if seen and high > low else 0.0
        cells.append(BARS[round(height * (len(BARS) - 1))] if seen else SKIPPED)
    return "".join(cells)


def _table(groups: Sequence[GroupTrace]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("group", "seconds", "visit", "relevance", "raw", "quota", "kept"):
        table.add_column(name, justify="right")
    for group in groups:
        if group.visited is None:
            table.add_row(str(group.index), _span(group), "skipped", style="dim")
            continue
        raw = f"{group.raw:.3f} {group.unit}" if group.raw is not None else ""
        numbers = (f"{group.relevance:.3f}", raw, str(group.quota), str(group.kept))
        table.add_row(str(group.index), _span(group), str(group.visited + 1), *numbers)
    return table


def _span(group: GroupTrace) -> str:
    return f"{group.seconds[0]:.1f}–{group.seconds[1]:.1f}"


def _tokens(outcome: Outcome) -> RenderableType:
    trace = outcome.trace
    line = Text.assemble(
        ("tokens", "bold"),
        f"  {trace.tokens_kept} kept of {trace.tokens_seen} seen, {trace.tokens_total} in the video; "
        f"{trace.frames_decoded} frames decoded",
    )
    if not trace.damaged_ticks:
        return line
    return Group(line, Text(f"damaged {trace.damaged_ticks} ticks show pictures decoded from damaged data", "yellow"))


def _stages(outcome: Outcome) -> RenderableType:
    trace = outcome.trace
    total = sum(cost.seconds for cost in trace.stages.values())
    head = Text.assemble(("cost", "bold"), f"  {total:.2f} s, peak memory {trace.peak_bytes / 2**30:.2f} GiB")
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("stage", "seconds", "passes", "tokens", "GFLOP"):
        table.add_column(name, justify="left" if name == "stage" else "right")
    for name, cost in trace.stages.items():
        flops = f"{cost.flops / 1e9:.2f}" if cost.flops else ""
        table.add_row(Text(name), f"{cost.seconds:.3f}", str(cost.passes or ""), str(cost.tokens or ""), flops)
    return Group(head, table)


def _plain_table() -> Table:
    return Table(box=None, show_header=False, padding=(0, 2, 0, 0))
