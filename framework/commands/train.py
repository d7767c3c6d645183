"""`sieve train`: hands the configuration to the training code. Knows no recipe, and what recipes were once called."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from framework.config.plugins import options
from framework.core.errors import UsageError

FORMER = {"model": "", "selector": "", "gaze": "autogaze_"}  # group of before -> what begins its options' names now
MOVED = {"stage": "recipe.training.stage"}  # key of before -> key now


def renamed(typed: Sequence[str]) -> list[str]:
    """Returns the words of a command line with former groups and keys in today's words, and says today's once."""
    words = [_renamed(word) for word in typed]
    if changed := [new for old, new in zip(typed, words, strict=True) if old != new]:
        sys.stderr.write(f"sieve: model=, selector= and gaze= are recipe= now: sieve train {' '.join(changed)}\n")
    return words


def _renamed(word: str) -> str:
    key, equals, value = word.partition("=")
    if not equals:
        return word
    bare = key.lstrip("+~")
    sign, (group, dot, rest) = key[: len(key) - len(bare)], bare.partition(".")
    if bare in MOVED:
        return f"{sign}{MOVED[bare]}={value}"
    if group in FORMER and dot:
        return f"{sign}recipe.{rest}={value}"
    if group in FORMER:
        names = [f"{FORMER[group]}{name}" if name not in ("null", "") else name for name in value.split(",")]
        return f"{sign}recipe={','.join(names)}"
    return word


def run(cfg: DictConfig) -> Path:
    """Trains what `recipe=` names. Returns the folder of what it made."""
    if not cfg.get("recipe"):
        there = ", ".join(f"recipe={name}" for name in options("recipe"))
        raise UsageError(f"recipe: got nothing to train, expected one of {there}")
    if not isinstance(cfg.recipe, DictConfig) or not isinstance(cfg.recipe.get("_target_"), str):
        raise UsageError(
            "recipe: no `_target_`; choose an option of this group or name a class derived from "
            f"framework.training.recipe.TrainingRecipe (got keys {sorted(map(str, cfg.recipe))})"
        )
    from framework.training.main import main

    return main(cfg)
