"""From another program's key=value pairs to our configuration: every pair is an override, as on our own command line.

Knows the few names that evaluation programs share (pretrained, device, batch_size) and none of the programs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.initialize import get_gh_backup, restore_gh_from_backup
from omegaconf import DictConfig

from framework.commands.catalogue import COMMANDS
from framework.commands.explain import explain
from framework.config.plugins import CONF, register
from framework.core.errors import UsageError

RENAMED = {"pretrained": "backbone.adapter.checkpoint", "device": "backbone.adapter.device"}
WITHOUT_MEANING = ("batch_size", "max_batch_size")  # what shares a pass is the questions of one video


def overrides(arguments: Mapping[str, Any]) -> list[str]:
    """The arguments as Hydra overrides, in the order given. UsageError when one key is given under two names."""
    found: dict[str, str] = {}
    for name, value in arguments.items():
        if name in WITHOUT_MEANING:
            continue
        key = RENAMED.get(name, name)
        if key in found:
            raise UsageError(f"{key} is given twice, as {found[key]!r} and as {name}={value!r}; leave one of them out")
        found[key] = f"{key}={value}"
    return list(found.values())


def place(arguments: Mapping[str, Any], environment: Mapping[str, str], gpus: int) -> dict[str, Any]:
    """The arguments, with a GPU of its own for each of several processes unless they name one."""
    several = int(environment.get("WORLD_SIZE", "1")) > 1
    named = {RENAMED["device"], "backbone.adapter.device_map"} & set(arguments)
    if not several or not gpus or named or arguments.get("device", "cuda") != "cuda":
        return dict(arguments)
    return {**arguments, "device": f"cuda:{environment.get('LOCAL_RANK', '0')}"}


def compose_root(arguments: Mapping[str, Any]) -> DictConfig:
    """The root configuration with these arguments. UsageError, in words, for a key or option that does not exist."""
    register()
    before = get_gh_backup()  # we are guests: whoever uses Hydra around us goes on as before
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
            return compose("config", overrides(arguments))
    except Exception as error:
        message = explain(error, COMMANDS["eval"])
        if message is None:
            raise
        raise UsageError(message) from error
    finally:
        restore_gh_from_backup(before)
