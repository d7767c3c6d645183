"""What can be said of a prober beside a backbone before any weight is read. Loads no torch.

A prober is an option of conf/backbone under another key: `plugins.py` offers each of them as prober=NAME.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from omegaconf import DictConfig, OmegaConf

from framework.backbones import checkpoint
from framework.backbones.families import frames_per_tick
from framework.config.build import ConfigError
from framework.config.groups import STRATEGIES
from framework.core.errors import UsageError

ADAPTER = "prober.adapter"
_ALONE = re.compile(r"(?<!,)\$\{backbone\.([\w.]+)\}")  # not the second choice of oc.select


def has_prober(cfg: DictConfig) -> bool:
    """Says whether another model than the backbone looks at the groups."""
    return OmegaConf.select(cfg, "prober") is not None


def check_prober(cfg: DictConfig) -> None:
    """Checks that prober and backbone can work together, as far as their options and checkpoints say.

    Raises ConfigError that names the key where they cannot. Without a prober it raises where `offload` is true.
    """
    if not has_prober(cfg):
        if cfg.get("offload"):
            raise ConfigError(
                "offload=true lets prober and backbone take turns, and there is no prober; set prober=NAME"
            )
        return
    if OmegaConf.select(cfg, ADAPTER) is None:
        raise ConfigError(f"prober: got {cfg.prober!r}, expected an option of conf/backbone: prober=NAME")
    if cfg.get("record"):
        raise ConfigError("record=true keeps what one model saw, and prober=... are two; leave one of them out")
    if "recording" in cfg:
        raise ConfigError("prober: a recording holds the probes of the recorded run's own model; leave prober out")
    if OmegaConf.select(cfg, "backbone.adapter.overlay") or OmegaConf.select(cfg, f"{ADAPTER}.overlay"):
        raise ConfigError("overlay lays one checkpoint's weights over prober and backbone alike; set overlay=none")
    for key in (ADAPTER, "backbone.adapter") if cfg.get("offload") else ():
        if (spread := OmegaConf.select(cfg, f"{key}.device_map")) is not None:
            raise ConfigError(
                f"offload=true moves models of one device, and {key}.device_map={spread} spreads one; set offload=false"
            )
    _check_values(cfg)
    _check_ticks(cfg)


def check_carried(strategies: Mapping[str, Any], looks: bool) -> None:
    """Checks that what strategies make of the prober's groups is of use to another model. `looks`: some of them look.

    Raises ConfigError that names the key where it is not.
    """
    answerer, refiner = strategies["answerer"], strategies["refiner"]
    if answerer.needs.probe:
        raise ConfigError(
            f"answerer: {type(answerer).__name__} answers from the probes of groups, which are the prober's, so the "
            "backbone would not be heard; set answerer=final or leave prober out"
        )
    if refiner.remakes:
        raise ConfigError(
            f"refiner: {type(refiner).__name__} remakes embeddings, and those of the prober are of no use to the "
            "backbone; choose a refiner that only chooses, or leave prober out"
        )
    if not looks:
        raise ConfigError(
            "prober: no strategy of this run looks at a group, so there is nothing to probe; leave it out"
        )


@contextmanager
def about_prober() -> Iterator[None]:
    """Lets what an adapter says of its keys name those of the prober."""
    try:
        yield
    except UsageError as error:
        raise type(error)(str(error).replace("backbone.adapter", ADAPTER)) from error


def _check_values(cfg: DictConfig) -> None:
    """ConfigError where a strategy that serves the groups reads a value of the model that only answers."""
    for group in (group for group in STRATEGIES if group != "answerer"):
        text = str(OmegaConf.to_container(cfg[group], resolve=False))
        if alone := _ALONE.search(text):
            key = alone[1]
            raise ConfigError(
                f"{group}: ${{backbone.{key}}} is a value of the model that answers, and the prober looks at the "
                f"groups; write ${{oc.select:prober.{key},${{backbone.{key}}}}} there"
            )


def _check_ticks(cfg: DictConfig) -> None:
    """ConfigError where the ticks of the two differ. What is no checkpoint of ours is seen when it is loaded."""
    with about_prober():
        prober = _frames(cfg, ADAPTER)
    backbone = _frames(cfg, "backbone.adapter")
    if prober is not None and backbone is not None and prober != backbone:
        raise ConfigError(
            f"prober: a tick of it has {prober} frame{'s' * (prober > 1)}, one of the backbone has {backbone}, so a "
            "place of one is no place of the other; take a prober with as many"
        )


def _frames(cfg: DictConfig, key: str) -> int | None:
    """Frames of a tick, of an adapter of ours; None of another one."""
    node = OmegaConf.select(cfg, key)
    if not str(node.get("_target_")).startswith("framework.backbones."):
        return None
    return frames_per_tick(checkpoint.config(*checkpoint.find(str(node.checkpoint))))
