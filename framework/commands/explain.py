"""Explains errors in words: what was got, what was expected and which key to change.

Hydra's errors are explained, and the configuration's own. For what is not the user's fault there is no explanation
(None). Names of configuration groups and keys are known here, never their meaning.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from framework.commands.command import Command
from framework.config.closest import meant
from framework.core.errors import UsageError


def explain(error: BaseException, command: Command | None, words: Sequence[str] = ()) -> str | None:
    """Explains an error in one readable message, or returns None when a traceback would say more.

    `words` are those that were composed: which keys there are depends on the options among them.
    """
    from hydra.errors import HydraException, MissingConfigException, OverrideParseException

    if isinstance(error, MissingConfigException):
        return _option(error)
    if isinstance(error, OverrideParseException):
        return _grammar(error.override)
    if isinstance(error, HydraException):
        return _key(error, command, words)
    if isinstance(error, OmegaConfBaseException):
        return str(error).splitlines()[0] + (f" (key: {error.full_key})" if error.full_key else "")
    if isinstance(error, UsageError):
        return str(error)
    return None


def _option(error: Exception) -> str:
    """An option that a group does not have."""
    found = re.search(r"Could not find '([^']+)'", str(error))
    group, _, name = found.group(1).rpartition("/") if found else ("", "", "")
    if not group:
        return str(error)
    if group == "hydra/launcher" and name.startswith("submitit"):
        return "launcher: this needs hydra-submitit-launcher, which is not installed; pip install 'tokensieve[slurm]'"
    return no_option(group, name)


def no_option(group: str, name: str) -> str:
    """Says that a group has no option of this name, which ones it has, and which one was probably meant."""
    from framework.config.plugins import options

    known = list(options(group))
    return f"{group}={name}: {group} has no option {name!r}; it has {', '.join(known) or 'none'}{meant(name, known)}"


def _grammar(override: str) -> str:
    return (
        f"could not read {override!r}; expected key=value. Values with spaces, commas, brackets or quotes need quotes "
        "of their own inside the shell's: key=\"'a value'\""
    )


def _key(error: Exception, command: Command | None, words: Sequence[str]) -> str:
    """A key or group that the configuration does not have, or a value that does not fit it."""
    causes = f"{error}\n{error.__cause__ or ''}"
    if (found := re.search(r"Could not override '([^']+)'", causes)) and command is not None:
        key = found.group(1)
        known = [*_keys(_composed(command, words)), *command.groups]
        if key not in known:
            return f"{key}: there is no such key{meant(key, known)}; `sieve {command.name} --help` lists them"
    return " ".join(causes.split())


def _composed(command: Command, words: Sequence[str]) -> DictConfig:
    """The command's configuration with the options that are chosen among the words, without any other override."""
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    from framework.config.plugins import CONF, options

    split = [word.partition("=") for word in words]
    chosen = [f"{group}={name}" for group, _, name in split if group in command.groups and name in options(group)]
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(command.config, chosen)


def _keys(node: object, path: str = "") -> list[str]:
    """Every dotted key below `node`."""
    if not isinstance(node, DictConfig):
        return [path]
    below = [
        key
        for name in map(str, node)
        for key in _keys(
            None if OmegaConf.is_interpolation(node, name) else node._get_node(name), f"{path}.{name}".strip(".")
        )
    ]
    return [path, *below] if path else below
