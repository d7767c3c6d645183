"""The panels of a picture: up is certain, groups are whole numbers, nothing lies on the bars."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from framework.core.outcome import GroupTrace
from framework.report import panels
from framework.report.panels import OTHER, RIGHT, SAME
from framework.report.story import Story


def group(index: int, relevance: float | None, choice: int | None = None, **more: Any) -> GroupTrace:
    visited = None if relevance is None else index
    return GroupTrace(index, (10.0 * index, 10.0 * index + 9), visited, relevance, choice=choice, **more)


def story(*groups: GroupTrace, **more: Any) -> Story:
    return Story("what ?", ("a", "b", "c", "d"), "B", 1, (0.1, 0.6, 0.2, 0.1), groups, **more)


@pytest.fixture
def axes() -> Axes:
    figure = Figure(figsize=(8, 3), layout="constrained")
    FigureCanvasAgg(figure)
    return figure.subplots()


def labels(axes: Axes) -> list[str]:
    legend = axes.get_legend()
    return [text.get_text() for text in legend.get_texts()] if legend else []


def bars(axes: Axes) -> dict[int, tuple[float, str]]:
    """Group -> (top of its bar, colour)."""
    from matplotlib.colors import to_hex

    found = {}
    for bar in axes.patches:
        place = bar.get_x() + bar.get_width() / 2  # type: ignore[attr-defined]
        found[round(place)] = (bar.get_y() + bar.get_height(), to_hex(bar.get_facecolor()))  # type: ignore[attr-defined]
    return found


def test_a_certain_group_has_a_high_bar(axes: Axes) -> None:
    told = story(group(0, -1.3, 0), group(1, -0.01, 1), group(2, -0.4, 2), right=2)
    panels.certainty(axes, told, told.groups[1])
    found = bars(axes)
    assert [found[i][0] for i in range(3)] == pytest.approx([-1.3, -0.01, -0.4])
    assert [found[i][1] for i in range(3)] == [OTHER, SAME, RIGHT]
    low, high = axes.get_ylim()
    assert low < -math.log(4) < high == 0.0
    assert {"guessing, −ln 4", "most relevant: group 1", "own answer: the final one"} <= set(labels(axes))
    assert "nats" in axes.get_ylabel()


def test_a_wholly_certain_group_is_marked(axes: Axes) -> None:
    told = story(group(0, -1.3), group(1, 0.0))  # 0 after rounding, in a line
    panels.certainty(axes, told, told.groups[1])
    assert "most relevant: group 1" in labels(axes)


def test_relevance_above_zero_fits(axes: Axes) -> None:
    panels.certainty(axes, story(group(0, 0.7), group(1, -0.2)), None)
    assert axes.get_ylim()[1] == pytest.approx(0.7) and bars(axes)[0][0] == pytest.approx(0.7)


def test_the_legend_lies_above_the_axes(axes: Axes) -> None:
    told = story(*(group(i, -1.0, i % 4) for i in range(9)), group(9, None), right=2)
    panels.certainty(axes, told, told.groups[0])
    axes.figure.draw_without_rendering()  # type: ignore[union-attr]
    legend = axes.get_legend()
    assert legend is not None and "skipped" in labels(axes)
    there, bars = legend.get_window_extent(), axes.get_window_extent()
    assert there.y0 >= bars.y1 and there.x1 <= bars.x1  # a wider one would narrow the axes


@pytest.mark.parametrize("count", [1, 2, 20, 33, 257])
def test_groups_are_whole_numbers(axes: Axes, count: int) -> None:
    panels.kept_by_group(axes, story(*(group(i, -1.0, kept=i) for i in range(count))))
    low, high = axes.get_xlim()
    shown = [place for place in axes.get_xticks() if low <= place <= high]
    assert all(place == int(place) for place in shown) and 0 in shown
    assert len(shown) == count if count <= 20 else 4 < len(shown) <= 17


def test_what_was_not_measured_is_said(axes: Axes) -> None:
    told = story(group(0, 0.0), group(1, 0.0))
    panels.certainty(axes, told, told.groups[0])
    assert not labels(axes) and not axes.patches and "not measured" in axes.texts[0].get_text()


def test_evidence_is_marked_over_time(axes: Axes) -> None:
    told = replace(story(group(0, -1.0), group(1, -1.0)), kept_seconds=(0.5, 0.6, 15.0), evidence=((14.0, 16.0),))
    panels.kept_over_time(axes, told)
    assert labels(axes) == ["evidence"]
    spans = [patch for patch in axes.patches if patch.get_label() == "evidence"]
    assert [(span.get_x(), span.get_x() + span.get_width()) for span in spans] == [(14.0, 16.0)]  # type: ignore[attr-defined]
    assert sum(bar.get_height() for bar in axes.patches if bar not in spans) == 3  # type: ignore[attr-defined]


def test_options_have_their_probability_and_the_right_one_its_mark(axes: Axes) -> None:
    panels.options(axes, story(group(0, -1.0), right=2))
    assert [text.get_text() for text in axes.texts] == [
        "A  a  10.0%",
        "B  b  60.0%",
        "C  c  20.0%  right",
        "D  d  10.0%",
    ]
    assert [bar.get_width() for bar in axes.patches] == [0.1, 0.6, 0.2, 0.1]  # type: ignore[attr-defined]
    assert panels.shortened("abcdef", 4) == "abc…" and panels.shortened("abcd", 4) == "abcd"


def test_the_label_says_what_a_group_is(axes: Axes) -> None:
    one_after_the_other = story(group(0, -1.0), group(1, -1.0))
    panels.kept_by_group(axes, one_after_the_other)
    assert "9.0 s each" in axes.get_xlabel()
    strides = [replace(one, seconds=(one.index, 100.0 + one.index)) for one in one_after_the_other.groups]
    panels.kept_by_group(axes, story(*strides))
    assert "spans the whole video" in axes.get_xlabel()
