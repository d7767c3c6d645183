"""What several questions about one video cost together, against what they would cost one by one.

One by one, a question pays every pass that it saw; together, a pass that several saw is run once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from framework.core.outcome import Cost, Outcome


def alone(outcomes: Sequence[Outcome]) -> dict[str, Cost]:
    """Returns stage -> passes and tokens that the questions would take one by one."""
    found: dict[str, Cost] = {}
    for outcome in outcomes:
        for name, cost in outcome.trace.stages.items():
            found[name] = found.get(name, Cost()) + Cost(passes=cost.passes, tokens=cost.tokens)
    return found


def shared_data(spent: Mapping[str, Cost], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Returns what was run for all questions, per stage, and what they would take one by one, as plain data."""
    by_one = alone(outcomes)
    return {
        "seconds": sum(cost.seconds for cost in spent.values()),
        "stages": {
            name: {**asdict(cost), "passes_alone": by_one[name].passes, "tokens_alone": by_one[name].tokens}
            for name, cost in spent.items()
        },
        "passes": sum(cost.passes for cost in spent.values()),
        "passes_alone": sum(cost.passes for cost in by_one.values()),
    }


def shared_table(spent: Mapping[str, Cost], outcomes: Sequence[Outcome]) -> RenderableType:
    """Shows what was run for all questions, stage by stage, beside what they would take one by one."""
    data = shared_data(spent, outcomes)
    head = Text.assemble(
        ("together", "bold"),
        f"  {len(outcomes)} questions in {data['seconds']:.2f} s and {data['passes']} passes; "
        f"one by one they take {data['passes_alone']} passes",
    )
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("stage", "seconds", "passes", "one by one", "tokens", "one by one"):
        table.add_column(name, justify="left" if name == "stage" else "right")
    for name, cost in data["stages"].items():
        counts = (str(cost[key] or "") for key in ("passes", "passes_alone", "tokens", "tokens_alone"))
        table.add_row(Text(name), f"{cost['seconds']:.3f}", *counts)
    return Group(head, table)
