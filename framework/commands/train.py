"""`sieve train`: hands the configuration to the training code. Knows nothing of it."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from framework.config.plugins import options
from framework.core.errors import UsageError

KINDS = ("model", "selector", "gaze")  # configuration groups; one run trains one of them


def run(cfg: DictConfig) -> Path:
    """Train what `model=`, `selector=` or `gaze=` names; the folder of the checkpoint."""
    named = [kind for kind in KINDS if cfg.get(kind)]
    if not named:
        there = [f"{kind}={option}" for kind in KINDS for option in options(kind)]
        raise UsageError(f"{' or '.join(KINDS)}: got nothing to train, expected one of {', '.join(there)}")
    if len(named) > 1:
        raise UsageError(f"{' and '.join(named)}: one run trains one thing, expected one of them")
    from framework.training.main import main

    return main(cfg)
