"""The console that people read, and the form in which text from outside reaches it.

Names of videos, files and questions are text, whatever stands in them: no markup, and nothing that steers a terminal.
Imports nothing heavy, so that help stays instant.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

PAPER = 120  # columns where there is no terminal
_STEERING = re.compile(  # terminal sequences whole; then single control characters; then what UTF-8 cannot hold
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]|[\ud800-\udfff]"
)
_BREAK = re.compile("[\n\u2028\u2029]")


def plain(text: str) -> str:
    """Removes what is not to be read but steers: terminal sequences, control characters, turns of direction.

    Line breaks and tabs stay. Halves of characters, of a name that is not UTF-8, go too.
    """
    return _STEERING.sub("", text)


class PlainFormatter(logging.Formatter):
    """Formats log lines in which names from outside steer no terminal and look like no line of their own.

    A message is one line: its line breaks are written as in Python (`\\n`). Lines of a traceback are indented.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Formats as logging does, then strips and indents."""
        return plain(_BREAK.sub("\n    ", super().format(record)))

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Formats the line of a record, without its traceback."""
        return _BREAK.sub(lambda found: found[0].encode("unicode_escape").decode(), super().formatMessage(record))


class _Plain(Console):
    """Strips every piece of text when it is rendered, wherever it comes from. Styles are ours and stay."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else plain(text), style, control)


def console(stderr: bool = False) -> Console:
    """Returns a console for standard output or error. Of several processes only the first is heard.

    On a terminal it has colours and the terminal's width. Elsewhere it has plain text and 120 columns. What is printed
    is taken literally: styles are asked for with `rich.text.Text`.
    """
    quiet = int(os.environ.get("RANK", os.environ.get("SLURM_PROCID", "0"))) > 0
    out = _Plain(stderr=stderr, highlight=False, markup=False, emoji=False, quiet=quiet)
    if not out.is_terminal:
        out.width = PAPER
    return out
