"""Composes the configuration from inside a program, as the command line does, without its side effects."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.initialize import get_gh_backup, restore_gh_from_backup
from omegaconf import DictConfig

from framework.commands.entries.answering import EVAL
from framework.commands.explain import explain
from framework.config.plugins import CONF, register
from framework.config.quoting import quote
from framework.core.errors import UsageError

_NAME = re.compile(r"(?!(?:true|false|null|nan|inf)\Z)[a-z_][a-z0-9_/]*", re.ASCII)  # of an option: taken as it is


def compose_root(words: Sequence[str]) -> DictConfig:
    """Composes the root configuration with these overrides, such as `preset=adapttoken` and `budget=64`.

    Whoever uses Hydra around us goes on as before. Raises UsageError, in words, for a key or option that there is not.
    """
    register()
    before = get_gh_backup()
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
            return compose("config", list(words))
    except Exception as error:
        message = explain(error, EVAL, words)
        if message is None:
            raise
        raise UsageError(message) from error
    finally:
        restore_gh_from_backup(before)


def words_of(overrides: Mapping[str, Any]) -> list[str]:
    """Returns Python values as overrides, in their order. `__` in a name stands for a dot: `scorer__layers=[2]`."""
    return [f"{name.replace('__', '.')}={_word(value)}" for name, value in overrides.items()]


def _word(value: Any) -> str:
    """A value in Hydra's grammar, meant literally."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_word(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(_word, value)) + "]"
    text = str(value)
    return text if isinstance(value, (int, float)) or _NAME.fullmatch(text) else quote(text)
