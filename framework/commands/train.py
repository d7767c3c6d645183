"""`sieve train`: hands the configuration to the training code. Knows nothing of it."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from framework.errors import UsageError
from framework.plugins import options


def run(cfg: DictConfig) -> Path:
    """Train what `model=` names; the folder of the checkpoint."""
    if not cfg.get("model"):
        raise UsageError(f"model: got nothing, expected one of {', '.join(options('model'))}, such as model=lab")
    from framework.training.run import main

    return main(cfg)
