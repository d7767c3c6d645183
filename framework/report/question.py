"""One line of questions.jsonl as a picture, without its video: certainty and kept tokens per group, the options."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from framework.report.picture import draw_story
from framework.report.story import of_line


def draw_line(path: Path, line: Mapping[str, Any], title: str = "") -> None:
    """Draws a line of questions.jsonl, also an older one without `question` and `options`.

    The form is that of the file's suffix: png, pdf or svg. `title` says what ran.
    """
    draw_story(path, of_line(line), about=title)
