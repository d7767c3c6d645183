"""What a sub-command is to `sieve`: what it runs, how its words are read, what its help says. Imports nothing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Flag:
    """Describes a command-line option of a plain command."""

    name: str  # --name VALUE, the value of the default's type
    default: str | int
    summary: str  # one line


@dataclass(frozen=True)
class Command:
    """Describes a sub-command: what it runs, and what its help says."""

    name: str
    target: str  # module:function, called with the composed configuration; of a plain command, with its words
    config: str  # conf/<config>.yaml; empty: a plain command, which Hydra has no part in
    summary: str  # one line
    text: str  # a paragraph or two
    examples: tuple[tuple[str, str], ...]  # command line, what it does
    groups: tuple[str, ...] = ()  # configuration groups that matter here
    texts: tuple[str, ...] = ()  # keys whose values are taken literally
    lists: tuple[str, ...] = ()  # keys that take a list of literal items
    flags: tuple[Flag, ...] = ()  # what a plain command takes beside its words
    before: str = ""  # module:function that turns the words as typed into those that are composed
    checked: bool = False  # builds the parts of its groups, which are checked before the target is imported
