"""A line of questions.jsonl as a picture, with nothing but the line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from framework.report.question import draw_line


@pytest.mark.parametrize(
    "changes", [{}, {"question": "你好 $x$ ?", "options": ["red", "blue"]}, {"choice": None, "probabilities": []}]
)
def test_a_line_is_drawn(tmp_path: Path, made_line: Callable[..., dict[str, Any]], changes: dict[str, Any]) -> None:
    line = made_line(0, 0.0, **changes)
    draw_line(tmp_path / "plain.png", line)
    draw_line(tmp_path / "titled.png", line, "adapttoken · lab")
    plain, titled = (Image.open(tmp_path / f"{name}.png") for name in ("plain", "titled"))
    assert plain.size == titled.size and plain.tobytes() != titled.tobytes()


def test_other_groups_make_another_picture(tmp_path: Path, made_line: Callable[..., dict[str, Any]]) -> None:
    line = made_line(0, 1.0)
    draw_line(tmp_path / "a.png", line)
    line["groups"]["relevance"][2] = -0.3
    draw_line(tmp_path / "b.png", line)
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()
