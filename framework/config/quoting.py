r"""What people type is literal: text is quoted before Hydra's parser gives commas, brackets and quotes a meaning.

Two layers read an override. Hydra's grammar ends a quoted value at an apostrophe, unless a backslash stands before it;
the configuration then takes `${` for an interpolation, unless a backslash stands before that. Backslashes double only
in front of such a mark, so everything else stays as typed. Knows nothing of which keys are text (see
`commands/command.py`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from framework.core.errors import UsageError

_CLOSING = {"(": ")", "[": "]", "{": "}"}


def quote(text: str) -> str:
    """Returns the text as a value of a Hydra override that means exactly this text."""
    text = re.sub(r"(\\*)\$\{", r"\1\1\\${", text)
    text = re.sub(r"(\\*)'", r"\1\1\\'", text)
    return "'" + re.sub(r"(\\+)\Z", r"\1\1", text) + "'"


def protect(arguments: Sequence[str], texts: Collection[str], lists: Collection[str]) -> list[str]:
    """Returns command-line words with the values of the keys `texts` and `lists` made literal.

    All other words stay unchanged. Raises UsageError for an empty list, or for a list with an empty item.
    """
    protected = []
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if equals and key in texts and value:
            argument = f"{key}={quote(value)}"
        elif equals and key in lists:
            items = split(value, key)
            if not items:
                raise UsageError(f"{key}: got an empty list; give at least two, or leave {key} out")
            argument = f"{key}=[{','.join(quote(item) for item in items)}]"
        protected.append(argument)
    return protected


def split(text: str, key: str) -> list[str]:
    """Returns the items of a typed list: `[red,blue]`, `red, blue`, `['red, or blue', green]`.

    Commas inside brackets or inside a quoted item do not separate. Quotes count only around a whole item, so
    apostrophes in words are letters. A bracket without its partner is a letter, too. Raises UsageError for an empty
    item.
    """
    body = text.strip()
    if body.startswith("[") and body.endswith("]"):
        body = body[1:-1]
    if not body.strip():
        return []
    items: list[str] = []
    at = 0
    while at <= len(body):
        quoted = re.compile(r"\s*(['\"])(.*?)\1\s*(?:,|\Z)", re.DOTALL).match(body, at)
        end = quoted.end() if quoted else _comma(body, at) + 1
        item = quoted.group(2) if quoted else body[at : end - 1].strip()
        if not item.strip():
            raise UsageError(
                f"{key}: item {len(items) + 1} of {text!r} is empty; expected a list such as {key}='[red,blue]'"
            )
        items.append(item)
        if quoted and not quoted.group(0).endswith(","):
            break
        at = end
    return items


def _comma(body: str, start: int) -> int:
    """Where the item that starts at `start` ends: the next comma outside of brackets, or the end."""
    at = start
    while at < len(body) and body[at] != ",":
        at = _partner(body, at) + 1
    return at


def _partner(body: str, at: int) -> int:
    """The place of the bracket that closes the one at `at`; `at` itself where there is none."""
    if body[at] not in _CLOSING:
        return at
    open_brackets: list[str] = []
    for place in range(at, len(body)):
        if body[place] in _CLOSING:
            open_brackets.append(_CLOSING[body[place]])
        elif body[place] in _CLOSING.values():
            if open_brackets.pop() != body[place]:
                return at
            if not open_brackets:
                return place
    return at
