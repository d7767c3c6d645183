"""The figure and the tables of the AutoGaze experiment, from rows on disk: nothing is measured here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.autogaze.needed import AT_LEAST, AT_MOST, NOT_REACHED
from experiments.autogaze.policies import GREEDY, UNTRAINED
from experiments.common import Row, doubling, interval, markdown

MADE, REAL = "made", "real"
FIXED, OWN, TRUE = "fixed", "own", "true"  # how a frame ends
REFERENCE = "grpo"
COLOURS = {
    UNTRAINED: "#cccccc",
    "random": "#bbaa33",
    "random_finest": "#ddcc77",
    "frame_difference": "#ee7733",
    "coarse_first": "#884422",
    "ntp": "#4477aa",
    "grpo_only": "#aa3377",
    REFERENCE: "#1b7f5c",
    "grpo_elsewhere": "#88ccaa",
    "ntp_one_head": "#99ccee",
    "ntp_single_scale": "#ee99aa",
    GREEDY: "#222222",
}


def draw(rows: Sequence[Row], errors: Mapping[str, float]) -> Figure:
    """Draws loss over picks: at fixed budgets, and where something else ends frames.

    The errors are drawn as lines.
    """
    figure = Figure(figsize=(10.5, 4.8), dpi=72, layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for row_of, axes, title in (((FIXED,), left, "fixed budgets"), ((OWN, TRUE), right, "own stopping (dotted: true)")):
        for policy, colour in COLOURS.items():
            for stop in row_of:
                here = [r for r in rows if (r["clips"], r["stopping"], r["policy"]) == (MADE, stop, policy)]
                _line(axes, here, colour, ":" if stop == TRUE else "-", policy)
        for name, error in errors.items():
            axes.axhline(error, color="#777777", linewidth=0.7, linestyle="--")
            axes.annotate(name, (1, error), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=7)
        doubling(axes, [8 * 2**n for n in range(7)])
        axes.set(title=title, xlabel="picks of a clip of 8 frames")
    left.set_ylabel("true loss")
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=6, fontsize=8)
    return figure


def _line(axes: Axes, rows: Sequence[Row], colour: str, line: str, label: str) -> None:
    if not rows:
        return
    ordered = sorted(rows, key=lambda row: row["picks"])
    picks, loss, low, high = ([row[key] for row in ordered] for key in ("picks", "loss", "loss_low", "loss_high"))
    axes.plot(picks, loss, color=colour, linestyle=line, marker="o", markersize=2.5, linewidth=1.2, label=label)
    axes.fill_between(picks, low, high, color=colour, alpha=0.1, linewidth=0)


def needed_table(rows: Sequence[Row], stopping: str, clips: str = MADE) -> str:
    """Returns a Markdown table of the picks of a clip at every error.

    A second column says how many times those of NTP + RL they are. `own` stopping also shows the rows of `true`
    stopping.
    """
    stops = (FIXED,) if stopping == FIXED else (OWN, TRUE)
    here = [row for row in rows if row["stopping"] in stops and row["clips"] == clips]
    losses = {row["error"]: row["loss"] for row in here}
    cell = {(row["stopping"], row["policy"], row["error"]): row for row in here}
    head = ["", *(f"{name}: loss {loss:.3f}{extra}" for name, loss in losses.items() for extra in ("", ", times"))]
    body = []
    for stop, policy in dict.fromkeys((row["stopping"], row["policy"]) for row in here):
        line = [policy + (", told the true loss" if stop == TRUE else "")]
        for name in losses:
            row = cell[stop, policy, name]
            line += [_picks(row), _times(row)]
        body.append(line)
    return markdown(head, body)


def _picks(row: Row) -> str:
    if row["note"] == NOT_REACHED:
        return NOT_REACHED
    bounds = "" if row["needed_low"] is None else f" [{row['needed_low']:.1f}, {row['needed_high']:.1f}]"
    return f"{'≤ ' if row['note'] == AT_MOST else ''}{row['needed']:.1f}{bounds}"


def _times(row: Row) -> str:
    if row["times"] is None:
        return ""
    bounds = "" if row["times_low"] is None else f" [{row['times_low']:.2f}, {row['times_high']:.2f}]"
    sign = {AT_MOST: "≤ ", AT_LEAST: "≥ "}.get(row["times_note"], "")
    return f"{sign}{row['times']:.2f}{bounds}"


def loss_table(rows: Sequence[Row], clips: str) -> str:
    """Returns a Markdown table of the loss at fixed budgets, picks of a frame."""
    here = [row for row in rows if row["stopping"] == FIXED and row["clips"] == clips]
    budgets = sorted({row["setting"] for row in here})
    cell = {(row["policy"], row["setting"]): row for row in here}
    body = [
        [policy, *(f"{cell[policy, b]['loss']:.3f}" if (policy, b) in cell else "" for b in budgets)]
        for policy in dict.fromkeys(row["policy"] for row in here)
    ]
    return markdown([f"{here[0]['count']} clips", *(f"{budget:g}" for budget in budgets)], body)


def predicted_table(rows: Sequence[Row]) -> str:
    """Returns a Markdown table of predicted against true loss."""
    frames = [key for key in rows[0] if key.startswith("frame_")]
    head = ["", "ended by", "picks", "r", "mean of abs(log ratio)", *(f"true / predicted, {key[6:]}" for key in frames)]
    body = [
        [
            row["policy"],
            f"{'budget' if row['stopping'] == FIXED else 'epsilon'} {row['setting']:g}",
            *(f"{row['picks']:.1f} {row['r']:.3f} {row['off']:.3f}".split()),
            *(f"{row[key]:.2f}" for key in frames),
        ]
        for row in rows
    ]
    return markdown(head, body)


def epsilon_table(rows: Sequence[Row]) -> str:
    """Returns a Markdown table of the epsilon asked for and the error reached."""
    head = ["", "epsilon", "error reached", "clips within", "picks"]
    body = [
        [row["policy"], f"{row['epsilon']:g}", interval(row, "reached"), f"{row['within']:.0%}", f"{row['picks']:.1f}"]
        for row in rows
    ]
    return markdown(head, body)
