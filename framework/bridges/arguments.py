"""From another program's key=value pairs to our configuration: every pair is an override, as on our own command line.

Knows the few names that evaluation programs share (pretrained, device, batch_size) and none of the programs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from framework.core.errors import UsageError

RENAMED = {"pretrained": "backbone.adapter.checkpoint", "device": "backbone.adapter.device"}
WITHOUT_MEANING = ("batch_size", "max_batch_size")  # what shares a pass is the questions of one video


def overrides(arguments: Mapping[str, Any]) -> list[str]:
    """Returns the arguments as Hydra overrides, in the order given.

    Raises UsageError when one key is given under two names.
    """
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
    """Returns the arguments, with a GPU of its own for each of several processes unless they name one."""
    several = int(environment.get("WORLD_SIZE", "1")) > 1
    named = {RENAMED["device"], "backbone.adapter.device_map"} & set(arguments)
    if not several or not gpus or named or arguments.get("device", "cuda") != "cuda":
        return dict(arguments)
    return {**arguments, "device": f"cuda:{environment.get('LOCAL_RANK', '0')}"}
