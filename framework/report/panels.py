"""The panels of a question's picture: certainty of every group, kept tokens by group and over time, the options.

Up is always more certain. Each panel draws a `Story` on axes that the caller made.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator

from framework.core.outcome import GroupTrace
from framework.report.story import Story

SAME, OTHER, RIGHT = "#4477aa", "#bbccee", "#228833"  # bars of groups, by what they answer themselves
SKIPPED, KEPT, EVIDENCE, CHANCE = "#dddddd", "#ee6677", "#ccbb44", "#aa3377"
BINS = 120
FEW = 20  # groups that all have their number below
ROOM = 0.06  # of the axis below the least certain group, so that its bar can be seen
LETTERS = 34  # of an option that are shown


def certainty(axes: Axes, story: Story, best: GroupTrace | None) -> None:
    """Draws the certainty of every group in nats, 0 = certain, with that of guessing.

    A bar's colour says what the group answers by itself. Skipped groups are grey.
    """
    groups, (name, values), chance = story.groups, story.certainty, story.chance
    low = min([*values.values(), chance if chance is not None and values else -1e-3])
    top = max([0.0, *values.values()])
    floor = low - ROOM * (top - low)
    for label, color, part in _by_choice(story, [group for group in groups if group.index in values]):
        heights = [values[group.index] - floor for group in part]
        axes.bar([group.index for group in part], heights, _width(groups), floor, color=color, label=label)
    skipped = [group.index for group in groups if group.visited is None]
    if skipped:
        axes.bar(skipped, top - floor, 1.0, floor, color=SKIPPED, label="skipped", zorder=0)
    if values and chance is not None:
        axes.axhline(chance, color=CHANCE, lw=1.2, ls="--", label=f"guessing, −ln {round(math.exp(-chance))}")
    if best is not None and story.ranked:
        mark = (best.index, top + 0.02 * (top - floor))
        axes.plot(*mark, "v", color="black", ms=6, clip_on=False, label=f"most relevant: group {best.index}")
    if not values:
        axes.text(0.5, 0.5, "how certain the groups were was not measured", transform=axes.transAxes, ha="center")
        axes.set_yticks([])
    axes.set(ylabel=f"certainty\n({name}, 0 = certain)" if values else "certainty", ylim=(floor, top))
    _by_group(axes, story)
    axes.set_xlabel("")  # that of the panel below


def _by_choice(story: Story, groups: Sequence[GroupTrace]) -> list[tuple[str, str, list[GroupTrace]]]:
    """Name, colour and groups of every kind of bar that there is."""
    kinds: dict[tuple[str, str], list[GroupTrace]] = {}
    for group in groups:
        if group.choice is None:
            kind = ("visited", SAME)
        elif group.choice == story.choice:
            kind = ("own answer: the final one", SAME)
        elif group.choice == story.right:
            kind = ("own answer: the right one", RIGHT)
        else:
            kind = ("own answer: another", OTHER)
        kinds.setdefault(kind, []).append(group)
    return [(*kind, part) for kind, part in sorted(kinds.items())]


def kept_by_group(axes: Axes, story: Story) -> None:
    """Draws how many tokens were kept of every group."""
    groups = story.groups
    axes.bar([group.index for group in groups], [group.kept for group in groups], _width(groups), color=KEPT)
    axes.set(ylabel="kept tokens")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    _by_group(axes, story)


def kept_over_time(axes: Axes, story: Story) -> None:
    """Draws the kept tokens over the seconds of the video, with the evidence where it is known."""
    first = min(group.seconds[0] for group in story.groups)
    last = max(max(group.seconds[1] for group in story.groups), first + 1.0)
    axes.hist(story.kept_seconds or (), bins=BINS, range=(first, last), color=KEPT)
    for place, (start, end) in enumerate(story.evidence):
        label = "evidence" if place == 0 else None
        axes.axvspan(start, end, color=EVIDENCE, alpha=0.5, lw=0, label=label)
        axes.plot(
            (start + end) / 2, 1.0, "v", color=EVIDENCE, ms=6, clip_on=False, transform=axes.get_xaxis_transform()
        )
    axes.set(ylabel="kept tokens", xlabel="seconds", xlim=(first, last))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    _legend(axes)


def options(axes: Axes, story: Story) -> None:
    """Draws the probability of every option; the answer is blue, the right one has a green frame."""
    count = len(story.probabilities)
    colors = [SAME if place == story.choice else OTHER for place in range(count)]
    bars = axes.barh(range(count), story.probabilities, 0.8, color=colors, alpha=0.7)
    for place, bar in enumerate(bars):
        right = place == story.right
        if right:
            bar.set(edgecolor=RIGHT, linewidth=2.5, alpha=0.9)
        text = shortened(story.option(place), LETTERS)
        tail = f"  {story.probabilities[place]:.1%}" + ("  right" if right else "")
        axes.text(0.02, place, text + tail, va="center", fontsize=9 if count <= 8 else 6, parse_math=False)
    axes.set(xlim=(0, 1), yticks=[], ylim=(max(count, 3) - 0.5, -0.5), xlabel="probability", title="the answer")
    axes.title.set_fontsize(10)


def shortened(text: str, letters: int) -> str:
    """Cuts a text to so many letters, the last of them an ellipsis."""
    return text if len(text) <= letters else text[: letters - 1] + "…"


def _width(groups: Sequence[GroupTrace]) -> float:
    return 0.86 if len(groups) <= 64 else 1.0


def _by_group(axes: Axes, story: Story) -> None:
    groups = story.groups
    axes.set(xlabel=_group_label(story), xlim=(-0.6, len(groups) - 0.4))
    axes.xaxis.set_major_locator(
        FixedLocator(range(len(groups))) if len(groups) <= FEW else MaxNLocator(16, integer=True)
    )
    _legend(axes)


def _group_label(story: Story) -> str:
    """What a group is, as far as its seconds tell."""
    groups = story.groups
    if len(groups) < 2 or not story.timed:
        return "group"
    if any(after.seconds[0] < before.seconds[1] for before, after in pairwise(groups)):
        return "group (each spans the whole video)"
    return f"group (one after the other, {np.mean([b - a for a, b in (g.seconds for g in groups)]):.1f} s each)"


def _legend(axes: Axes) -> None:
    """Above the axes, where nothing is drawn."""
    if axes.get_legend_handles_labels()[1]:
        at = {"loc": "lower left", "bbox_to_anchor": (0, 1.03), "borderaxespad": 0.2}
        axes.legend(**at, ncols=4, columnspacing=1.4, handlelength=1.6, fontsize=8, frameon=False)
