"""Which runs `sieve threshold` means: one per seed, opacity and preset. Loads no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from omegaconf import DictConfig

from framework.config.compose import compose_root


@dataclass(frozen=True)
class Planned:
    """Describes one run to come: an ordinary run of `sieve eval` with these words."""

    preset: str
    opacity: float
    seed: int
    words: tuple[str, ...]
    cfg: DictConfig


def planned(
    presets: Sequence[str], opacities: Sequence[float], seeds: Sequence[int], typed: Sequence[str]
) -> list[Planned]:
    """Composes one run per seed, opacity and preset, in this order."""
    found = []
    for seed, opacity, preset in product(seeds, opacities, presets):
        own = (f"preset={preset}", *typed, f"benchmark.opacity={opacity}", f"seed={seed}")
        found.append(Planned(preset, opacity, seed, own, compose_root(own)))
    return found
