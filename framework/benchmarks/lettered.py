"""Questions that carry their options in their text, one lettered line each. Knows no benchmark."""

from __future__ import annotations

import re

_LINE = re.compile(r"^[ \t]*\(?([A-Z])[.):][ \t]*(.*?)[ \t]*$", re.MULTILINE)


def letter_options(text: str) -> tuple[str, tuple[str, ...]]:
    """Splits "stem / A. one / B. two" into (stem, option texts); also reads "(A) one" and "A) one".

    Options are consecutive lines. The stem stands in the text word for word. A text without two such lines is all stem.
    """
    for first in _LINE.finditer(text):
        options: list[str] = []
        line: re.Match[str] | None = first
        while line is not None and line.group(1) == chr(ord("A") + len(options)):
            options.append(line.group(2))
            line = _LINE.match(text, line.end() + 1)
        stem = text[: first.start()].strip()
        if len(options) > 1 and stem:
            return stem, tuple(options)
    return text.strip(), ()
