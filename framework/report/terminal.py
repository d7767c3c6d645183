"""An outcome in a terminal: the answer, its certainty, what became of every group, what it cost."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from framework.core.outcome import GroupTrace, Outcome
from framework.report.story import Story, of_outcome

LISTED = 16  # groups that are listed one by one; more become a strip with the best ones below
BEST = 5
STRIP = 64  # columns of the strip
BARS = "▁▂▃▄▅▆▇█"
SKIPPED = "·"
DIGITS = 6  # as many as questions.jsonl has
WIDTH = 30  # columns of a full probability bar


def show(console: Console, outcome: Outcome) -> None:
    """Prints everything about one answer."""
    answer = _answer(of_outcome(outcome), outcome.answer.entropy)
    for part in (answer, _groups(outcome.trace.groups), _tokens(outcome), _stages(outcome)):
        console.print(part)
        console.print()


def tell(console: Console, story: Story, entropy: float | None = None) -> None:
    """Prints what was asked, what was answered and what would be right, and what became of the groups.

    `entropy` is that of the answer, in nats.
    """
    console.print(_answer(story, entropy))
    console.print()
    console.print(_groups(story.groups))


def _answer(story: Story, entropy: float | None) -> RenderableType:
    lines: list[RenderableType] = [Text(story.question or "(the question is not in questions.jsonl)")]
    wrong = story.correct is not None and story.correct < 1
    lines.append(Text(story.answered, "bold yellow" if wrong else "bold green" if story.choice is not None else "bold"))
    if story.expected:
        lines.append(Text(f"{_score(story.correct)}the right answer is {story.expected}"))
    if entropy is not None:
        lines.append(Text(f"entropy of the answer {entropy:.3f} nats", style="dim"))
    if story.probabilities:
        table = _plain_table()
        for place, probability in enumerate(story.probabilities):
            style = "bold" if place in (story.choice, story.right) else ""
            letter, _, text = story.option(place).partition("  ")
            mark = "answer" if place == story.choice else ""
            mark += " right" if place == story.right else ""
            bar = "█" * round(WIDTH * probability)
            table.add_row(Text(letter), Text(text), f"{probability:6.1%}", bar, mark.strip(), style=style)
        lines.append(table)
    return Group(*lines)


def _score(correct: float | None) -> str:
    if correct is None:
        return ""
    return "wrong; " if correct == 0 else "right; " if correct == 1 else f"score {correct:.3g}; "


def _groups(groups: Sequence[GroupTrace]) -> RenderableType:
    visited = [group for group in groups if group.visited is not None]
    head = Text.assemble(("groups", "bold"), f"  {len(visited)} of {len(groups)} visited")
    if len(groups) <= LISTED:
        return Group(head, _strips(groups), _table(groups))
    best = sorted(visited, key=lambda group: (-(group.relevance or 0.0), group.index))[:BEST]
    return Group(head, _strips(groups), Text("the most relevant", style="dim"), _table(best))


def _strips(groups: Sequence[GroupTrace]) -> Table:
    """Relevance and kept tokens of all groups as two rows of bars, with what the lowest and highest stand for."""
    relevance = [group.relevance for group in groups]
    kept = [float(group.kept) if group.visited is not None else None for group in groups]
    strips = _plain_table()
    strips.add_row("relevance", Text(strip(relevance), "cyan"), Text(scale(relevance, 3, "nats"), "dim"))
    strips.add_row("kept", Text(strip(kept), "green"), Text(scale(kept, 0, "tokens"), "dim"))
    place = f"group {groups[0].index} … {groups[-1].index}"
    if _span(groups[0]):
        place = f"{_span(groups[0])} … {_span(groups[-1])} s"
    strips.add_row("", Text(f"{place}; {SKIPPED} skipped", "dim"))
    return strips


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


def scale(values: Sequence[float | None], digits: int, unit: str) -> str:
    """Says what the lowest and the highest bar of a strip stand for, with more digits where they need them to differ.

    It is empty where no value is known.
    """
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    if round(low, DIGITS) == round(high, DIGITS):
        return f"all {low:.{digits}f} {unit}"
    while f"{low:.{digits}f}" == f"{high:.{digits}f}":
        digits += 1
    return f"{BARS[0]} {low:.{digits}f} … {BARS[-1]} {high:.{digits}f} {unit}"


def _table(groups: Sequence[GroupTrace]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("group", "seconds", "visit", "relevance", "raw", "quota", "kept"):
        table.add_column(name, justify="right")
    for group in groups:
        if group.visited is None:
            table.add_row(str(group.index), _span(group), "skipped", style="dim")
            continue
        raw = f"{group.raw:.3f} {group.unit}" if group.raw is not None else ""
        relevance = f"{group.relevance:.3f}" if group.relevance is not None else ""
        numbers = (relevance, raw, str(group.quota), str(group.kept))
        table.add_row(str(group.index), _span(group), str(group.visited + 1), *numbers)
    return table


def _span(group: GroupTrace) -> str:
    """First and last second; empty where they are not known."""
    if math.isnan(group.seconds[0]):
        return ""
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
    if not (apart := trace.operations):
        return Group(head, table)
    parts = ", ".join(f"{model} {flops / 1e9:.2f}" for model, flops in apart.items())
    return Group(head, table, Text(f"GFLOP     {parts}, together {sum(apart.values()) / 1e9:.2f}", "dim"))


def _plain_table() -> Table:
    return Table(box=None, show_header=False, padding=(0, 2, 0, 0))
