"""What every entry promises is there: its program, its configuration, its groups, and examples that call it."""

from __future__ import annotations

import importlib.util
import shlex
from types import ModuleType

import pytest

from framework.commands.catalogue import OURS
from framework.commands.command import Command
from framework.commands.entries import answering, measuring, results, training
from framework.config import plugins

ROOMS = (answering, measuring, results, training)


def entries(room: ModuleType) -> list[Command]:
    return [value for value in vars(room).values() if isinstance(value, Command)]


def test_every_entry_stands_in_one_room_and_in_the_catalogue() -> None:
    names = [one.name for room in ROOMS for one in entries(room)]
    assert sorted(names) == sorted(one.name for one in OURS) and len(set(names)) == len(names)


@pytest.mark.parametrize("command", OURS, ids=lambda command: command.name)
def test_what_an_entry_names_is_there(command: Command) -> None:
    for place in filter(None, (command.target, command.before)):
        assert importlib.util.find_spec(place.partition(":")[0]) is not None
    assert not command.config or (plugins.CONF / f"{command.config}.yaml").is_file()
    assert all(plugins.options(group) for group in command.groups)
    assert any(command.name in shlex.split(line) for line, _ in command.examples)
