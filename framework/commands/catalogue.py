"""What `sieve` can do: the sub-commands of ours, then those of learned methods and of other packages, by entry point.

Imports nothing heavy. What each says of itself is in `entries/`.
"""

from __future__ import annotations

import logging
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from framework.commands.command import Command
from framework.commands.entries.answering import ASK, EVAL, REPLAY
from framework.commands.entries.measuring import BENCH, DOCTOR, PROBE_LAYERS, THRESHOLD
from framework.commands.entries.results import COMPARE, SHOW
from framework.commands.entries.training import TRAIN

ENTRY_POINTS = "tokensieve.commands"
_log = logging.getLogger(__name__)

OURS = (ASK, EVAL, REPLAY, COMPARE, THRESHOLD, SHOW, TRAIN, PROBE_LAYERS, BENCH, DOCTOR)


@cache
def commands() -> dict[str, Command]:
    """Returns name -> sub-command: ours, then those of installed packages.

    A package adds one with a line `name = "package.module:COMMAND"` below
    `[project.entry-points."tokensieve.commands"]`. One that cannot be imported, is no `Command`, or has the name of
    another is left out, with one warning that names the package.
    """
    found = {command.name: command for command in OURS}
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name):
        try:
            command = point.load()
        except Exception as error:
            _log.warning("%s: its command %r is left out, %s cannot be imported (%s)", *_of(point), point.value, error)
            continue
        if not isinstance(command, Command):
            _log.warning("%s: its command %r is left out, %s is no Command", *_of(point), point.value)
        elif command.name in found:
            _log.warning("%s: its command %r is left out, there is one of that name", *_of(point))
        else:
            found[command.name] = command
    return found


def _of(point: EntryPoint) -> tuple[str, str]:
    """The package and the name of an entry point, for messages."""
    return (point.dist.name if point.dist is not None else "a package", point.name)
