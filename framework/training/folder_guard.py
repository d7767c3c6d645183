"""A folder belongs to one recipe: a training goes on in it only with what it was begun with.

Knows no training; what counts as the recipe is the caller's. A model of several phases keeps them in folders of their
own, and a finished phase may serve another recipe: those are not held to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.utilities import rank_zero_only
from omegaconf import OmegaConf

from framework.config.identity import whole
from framework.core.errors import UsageError

FILE, LAST = "recipe.yaml", "last.ckpt"
SHOWN = 3  # keys of a difference


def claim_folder(folder: Path, recipe: Mapping[str, Any]) -> None:
    """Writes the recipe into `folder`.

    Raises UsageError where a training of another recipe stopped there, because that training would be continued.
    """
    kept = folder / FILE
    told = OmegaConf.create(dict(recipe))
    if kept.exists() and (folder / LAST).exists():
        before, now = (_flat(OmegaConf.to_container(one)) for one in (OmegaConf.load(kept), told))
        other = [key for key in {**before, **now} if before.get(key) != now.get(key)]
        if other:
            parts = [f"{key}: {before.get(key)} there, {now.get(key)} now" for key in other[:SHOWN]]
            more = f" and {len(other) - SHOWN} more" if len(other) > SHOWN else ""
            raise UsageError(
                f"folder: {folder} holds a training with another recipe ({'; '.join(parts)}{more}). Give it a folder "
                "of its own (folder=...), or delete that one to begin again"
            )
    folder.mkdir(parents=True, exist_ok=True)
    rank_zero_only(whole)(kept, OmegaConf.to_yaml(told))  # all processes of a training come by


def _flat(node: Any, at: str = "") -> dict[str, Any]:
    """Dotted keys to plain values."""
    if not isinstance(node, dict) or not node:
        return {at: node}
    return {key: value for name, part in node.items() for key, value in _flat(part, f"{at}.{name}".lstrip(".")).items()}
