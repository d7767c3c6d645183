"""What `sieve --help` and `sieve COMMAND --help` print: the catalogue, and the configuration files as they are.

Keys, defaults and their comments are read from the yaml text itself, so help cannot fall behind the configuration.
Imports neither torch nor Hydra's composition.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from framework.commands.catalogue import commands
from framework.commands.command import Command
from framework.commands.option_help import asked, page_rows, show_option
from framework.config.plugins import options, page
from framework.report.console import console


def show_all() -> None:
    """Prints all commands and a few real examples."""
    out = console()
    out.print(_headed("sieve", ": answer questions about long videos from the few visual tokens that matter\n"))
    table = _table()
    for command in commands().values():
        table.add_row(f"sieve {command.name}", command.summary)
    out.print(table)
    out.print("\nExamples", style="bold")
    for command in commands().values():
        _examples(out, command, 2 if command.name == "eval" else 1)
    out.print(
        Text.from_markup(
            "\n[bold]sieve COMMAND --help[/] lists keys, defaults and options. [bold]--debug[/] shows where an error "
            "arose.\nEverything is key=value, composed by Hydra: [bold]--cfg job[/] prints what a command would run "
            "with."
        )
    )


def show(command: Command, words: Sequence[str] = ()) -> None:
    """Prints the help of one command: what it does, examples, keys with defaults, and the options of its groups.

    Where the `words` beside --help choose options, those are explained instead. Raises UsageError for an option or a
    group that there is not.
    """
    roots = [key.partition(".")[0] for key, _, _ in _keys(command)] if command.config else []
    if command.config and (chosen := asked(command, words, roots)):
        for group, option in chosen:
            show_option(group, option)
        return
    out = console()
    out.print(_headed(f"sieve {command.name}", f": {command.summary}\n"))
    out.print("\n\n".join(" ".join(paragraph.split()) for paragraph in command.text.split("\n\n")))
    out.print("\nExamples", style="bold")
    _examples(out, command, len(command.examples))
    if command.flags:
        out.print(_headed("\nOptions", " (--option VALUE)"))
        table = _table()
        for flag in command.flags:
            table.add_row(flag.name, str(flag.default), flag.summary)
        out.print(table)
    if command.config and (keys := _keys(command)):
        out.print(_headed("\nKeys", " (key=value)"))
        table = _table()
        for key, default, comment in keys:
            table.add_row(key, default, comment)
        out.print(table)
    if command.groups:
        out.print(_headed("\nGroups", " (group=option; keys inside an option are group.key=value; `*`: the default)"))
        out.print(f"  sieve {command.name} --help GROUP=OPTION lists the keys inside an option.")
        table = _table()
        usual = _chosen(command)
        for group in command.groups:
            names = [f"{name}*" if name == usual.get(group) else name for name in options(group)]
            table.add_row(group, ", ".join(names) or "none yet")
        out.print(table)


def _headed(head: str, rest: str) -> Text:
    return Text.assemble((head, "bold"), rest)


def _table() -> Table:
    return Table(box=None, show_header=False, padding=(0, 2, 0, 2), pad_edge=True)


def _examples(out: Console, command: Command, count: int) -> None:
    for line, effect in command.examples[:count]:
        out.print(f"  {line}", soft_wrap=True)
        out.print(f"      {effect}", style="dim")


def _keys(command: Command) -> list[tuple[str, str, str]]:
    """Keys with default and comment: those of the command's own page, then those of the page it stands on."""
    own = page_rows(page(command.config))
    shared = page_rows(page("config")) if "preset" in command.groups else []
    return [*own, *(line for line in shared if line[0] not in {key for key, _, _ in own})]


def _chosen(command: Command) -> dict[str, str]:
    """Group -> default option, from the defaults list of config.yaml and what the command's own page changes in it."""
    pages = [page("config"), page(command.config)]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    return dict(re.findall(r"^\s+- (?:override )?(\w+): (\w+)", text, re.MULTILINE))
