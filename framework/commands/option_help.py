"""What `sieve COMMAND --help GROUP=OPTION` prints: what an option is, and its keys with defaults and comments.

Reads the text of the yaml files, as `help.py` does: neither torch nor Hydra's composition.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from framework.commands.command import Command
from framework.commands.explain import no_option
from framework.config.closest import meant
from framework.config.plugins import options
from framework.core.errors import UsageError
from framework.report.console import console

Row = tuple[str, str, str]  # key, default, comment
_LINE = re.compile(r"^( *)(\w+):(?:[ ]+([^#]*?))?\s*(?:#\s*(.*))?$")
_CHOICE = re.compile(r"^ +- (?:override )?/?([\w/]+): (\w+)\s*(?:#\s*(.*))?$")
_BASE = re.compile(r"^ +- (?!_self_)(\w+)\s*(?:#.*)?$")
REQUIRED = "(required)"
_APART = ("_target_", "hydra", "defaults")  # not for people to set


def asked(command: Command, words: Sequence[str], keys: Sequence[str]) -> list[tuple[str, str]]:
    """Returns the (group, option) pairs in the words of a command line that has --help in it.

    Other overrides are passed over. Raises UsageError for an option that a group does not have, and for a name that is
    neither a group nor one of the root `keys`.
    """
    found = []
    for word in words:
        name, equals, value = word.lstrip("+~").partition("=")
        if name in command.groups and equals:
            found += [(name, option) for option in value.split(",")]
        elif equals and "." not in name and name not in keys:
            known = [*command.groups, *keys]
            raise UsageError(
                f"{name}: `sieve {command.name}` has no such group or key{meant(name, known)}; "
                f"`sieve {command.name} --help` lists them"
            )
    for group, option in found:
        if option not in options(group):
            raise UsageError(no_option(group, option))
    return found


def show_option(group: str, option: str) -> None:
    """Prints what one option is and what can be set inside it."""
    file = options(group)[option]
    out = console()
    out.print(Text.assemble((f"{group}={option}", "bold"), f": {about(file)}\n" if about(file) else "\n"))
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 2), pad_edge=True)
    for row in option_rows(group, option):
        table.add_row(*map(Text, row))
    out.print(table if table.rows else "  nothing to set")


def about(file: Path) -> str:
    """Returns the comment that a yaml file begins with; commands in it have lines of their own."""
    told = ""
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        words = " ".join(line.lstrip("#").split())
        if not words.startswith("@package"):
            told += ("\n" if words.startswith("sieve ") else " ") + words
    return told.strip()


def option_rows(group: str, option: str) -> list[Row]:
    """Returns the keys of an option, those of the options that it builds on first: (key, default, comment).

    An option that chooses others (a preset) has a row for each choice.
    """
    file = options(group)[option]
    text = file.read_text(encoding="utf-8")
    rows: dict[str, Row] = {}
    for line in text.splitlines():
        if (base := _BASE.match(line)) and base[1] in options(group):
            rows |= {row[0]: row for row in option_rows(group, base[1])}
        elif choice := _CHOICE.match(line):
            rows[choice[1]] = (choice[1], choice[2], choice[3] or "")
    prefix = "" if "@package _global_" in text else f"{group}."
    for key, default, comment in page_rows(file):
        before = rows.get(prefix + key, ("", "", ""))
        rows[prefix + key] = (prefix + key, default, comment or before[2])
    return list(rows.values())


def page_rows(file: Path) -> list[Row]:
    """Returns every key of a yaml file that has a value: (dotted key, value, comment)."""
    rows: list[Row] = []
    above: list[tuple[int, str]] = []  # (indentation, key) of the nodes around a line
    for line in file.read_text(encoding="utf-8").splitlines():
        if (found := _LINE.match(line)) is None:
            continue
        indent, key = len(found[1]), found[2]
        above = [one for one in above if one[0] < indent]
        if not any(name in _APART for name in (key, *(name for _, name in above))) and found[3]:
            rows.append(
                (
                    ".".join([*(name for _, name in above), key]),
                    REQUIRED if found[3] == "???" else found[3],
                    found[4] or "",
                )
            )
        above.append((indent, key))
    return rows
