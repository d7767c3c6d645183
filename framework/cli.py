"""`sieve`: finds the sub-command, makes typed text literal, composes with Hydra, turns errors into readable messages.

It knows no sub-command from the inside (see `commands/catalogue.py`), and imports torch only once one of them runs.
"""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from framework.commands.catalogue import commands
from framework.commands.command import Command
from framework.config.quoting import protect
from framework.core.errors import Failure, RunError, UsageError
from framework.core.interrupt import asked, heed, listening

USAGE, FAILURE, INTERRUPTED = 2, 1, 130
FULL_ERROR = "HYDRA_FULL_ERROR"
MULTIRUN = ("-m", "--multirun")


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the console script `sieve`. Exit status: 0 fine, 1 failed, 2 wrong use, 130 interrupted."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words or os.environ.get(FULL_ERROR) == "1"
    words = [word for word in words if word != "--debug"]
    if not words or words[0] in ("-h", "--help", "help"):
        from framework.commands.help import show_all

        show_all()
    elif words[0] in ("-V", "--version", "version"):
        from importlib.metadata import version

        sys.stdout.write(f"tokensieve {version('tokensieve')}\n")
    elif (command := commands().get(words[0])) is None:
        sys.exit(_explained(UsageError(_unknown(words[0]))).status)
    elif any(word in ("-h", "--help") for word in words[1:]):
        _help(command, words[1:])
    else:
        _interruptible(command, words[1:], debug)


def _help(command: Command, words: Sequence[str]) -> None:
    from framework.commands.help import show

    try:
        show(command, words)
    except UsageError as error:
        sys.exit(_explained(error).status)


def _unknown(name: str) -> str:
    close = difflib.get_close_matches(name, commands(), n=1)
    meant = f"; did you mean `sieve {close[0]}`?" if close else ""
    return f"there is no command {name!r}; expected one of {', '.join(commands())}{meant}"


def _interruptible(command: Command, words: Sequence[str], debug: bool) -> None:
    """Run; Ctrl-C has a status of its own, also where what it met made something else of it, or nothing."""
    with listening():
        try:
            _run(command, words, debug)
            heed()
            return
        except KeyboardInterrupt:
            pass
        except SystemExit:
            if not asked():
                raise
        _write("interrupted")
        sys.exit(INTERRUPTED)


def _run(command: Command, words: Sequence[str], debug: bool) -> None:
    """Compose and run; with `debug` errors keep their traceback."""
    try:
        if not command.config:
            _imported(command.target)(words)
            return
        if command.before:
            words = _imported(command.before)(words)
        failures = _hydra(command, protect(_flags_first(words), command.texts, command.lists), debug)
    except Exception as error:
        if debug:
            raise
        failures = [_explained(error, command, words)]
    if failures:
        sys.exit(failures[0].status)


def _flags_first(words: Sequence[str]) -> list[str]:
    """The words with -m before all others: Hydra's parser wants it there, people type it anywhere."""
    flags = [word for word in words if word in MULTIRUN]
    return [*flags[:1], *(word for word in words if word not in MULTIRUN)]


def _imported(path: str) -> Callable[..., Any]:
    """The function at `module:function`, imported now."""
    module, name = path.split(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function


def _hydra(command: Command, words: Sequence[str], debug: bool) -> list[Failure]:
    """Run every run of a sweep (one, without -m); those that failed in this process. A failing one stops no other."""
    import hydra
    from omegaconf import DictConfig

    from framework.config.identity import register_resolvers
    from framework.config.plugins import CONF, register

    register()
    register_resolvers()
    failures: list[Failure] = []

    def task(cfg: DictConfig) -> Any:
        heed()  # before every run of a sweep
        try:
            if command.checked:
                _imported("framework.config.early:check")(cfg, command.groups)
            return _imported(command.target)(cfg)
        except Exception as error:
            if debug:
                raise
            failures.append(_explained(error, command))
            return failures[-1]  # to the callbacks of a sweep

    start = hydra.main(version_base="1.3", config_path=str(CONF), config_name=command.config)(task)
    with _process_state(["sieve", *words]):
        start()
    return failures


@contextmanager
def _process_state(words: list[str]) -> Iterator[None]:
    """Hydra reads sys.argv, and raises instead of printing and exiting only when asked to in the environment."""
    argv, full = sys.argv, os.environ.get(FULL_ERROR)
    sys.argv, os.environ[FULL_ERROR] = words, "1"
    try:
        yield
    finally:
        sys.argv = argv
        if full is None:
            del os.environ[FULL_ERROR]
        else:
            os.environ[FULL_ERROR] = full


def _explained(error: Exception, command: Command | None = None, words: Sequence[str] = ()) -> Failure:
    """Say what went wrong with the `words` composed; the message and the exit status that says whose fault it is."""
    from framework.commands.explain import explain
    from framework.core.disk import disk_error

    error = disk_error(error, _folder()) or error
    if isinstance(error, RunError):
        _write(str(error))
        return Failure(FAILURE, str(error))
    message, status = explain(error, command, words), USAGE
    if message is None:
        message, status = f"{type(error).__name__}: {error}", FAILURE
        _write(f"{message}\nThis is not what should happen; --debug shows where it did.")
    else:
        _write(message)
    return Failure(status, message)


def _folder() -> Path:
    """Where the command writes, as far as that is known."""
    from hydra.core.hydra_config import HydraConfig

    return Path(HydraConfig.get().runtime.output_dir) if HydraConfig.initialized() else Path.cwd()


def _write(message: str) -> None:
    from framework.report.console import plain

    sys.stderr.write(f"sieve: {plain(message)}\n")


if __name__ == "__main__":
    main()
