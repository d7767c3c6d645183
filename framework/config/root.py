"""The keys at the root of the configuration, and what each may be. Loads no torch.

How many processes there may be is `evaluation/distributed.py`'s to say.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from omegaconf import DictConfig, OmegaConf
from pydantic import Field, StrictBool, StrictInt, TypeAdapter, ValidationError

from framework.config.build import ConfigError

RULES: dict[str, tuple[Any, str]] = {  # key -> its type, and the same in words
    "budget": (Annotated[StrictInt, Field(ge=1)], "must be a whole number of tokens >= 1"),
    "seed": (StrictInt, "must be a whole number"),
    "share": (StrictBool, "must be true or false"),
    "offload": (StrictBool, "must be true or false"),
    "progress": (StrictBool, "must be true or false"),
    "record": (StrictBool, "must be true or false"),
    "max_failed_share": (Annotated[float, Field(ge=0, le=1)], "must lie within 0..1"),
    "world.devices": (StrictInt, "must be a whole number of processes"),
    "world.num_nodes": (StrictInt, "must be a whole number of nodes"),
}
_INTERPOLATION = re.compile(r"\$\{(\w[\w.]*)\}")  # of one key and nothing else
_OF_PROBER = re.compile(
    r"\$\{oc\.select:(prober\.[\w.]+),\$\{(\w[\w.]*)\}\}"
)  # its key where there is one, else that key
_ABSENT = object()  # of a key that a command does not have


def check_root(cfg: DictConfig) -> None:
    """Checks the root keys that `cfg` has. Raises ConfigError that names the key where a value does not fit."""
    for key, (hint, words) in RULES.items():
        if (value := OmegaConf.select(cfg, key, default=_ABSENT)) is _ABSENT:
            continue
        try:
            TypeAdapter(hint).validate_python(value)
        except ValidationError as error:
            raise ConfigError(f"{key} {words}, got {value!r} (key: {typed_key(cfg, key)})") from error


def typed_key(cfg: DictConfig, key: str) -> str:
    """Returns the key that a value is typed under: where `key` stands for another key alone, that one."""
    parent, _, name = key.rpartition(".")
    node = OmegaConf.select(cfg, parent) if parent else cfg
    raw = node._get_node(name) if isinstance(node, DictConfig) else None
    text = "" if raw is None else str(raw._value())
    if either := _OF_PROBER.fullmatch(text):
        return typed_key(cfg, either[1] if OmegaConf.select(cfg, either[1]) is not None else either[2])
    alone = _INTERPOLATION.fullmatch(text)
    return key if alone is None else typed_key(cfg, alone[1])
