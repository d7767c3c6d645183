"""`sieve threshold`: what is typed, checked before torch is loaded; a configuration per preset, opacity and seed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, ListConfig

from framework.commands.threshold_plan import planned
from framework.config.early import check
from framework.config.groups import STRATEGIES
from framework.config.plugins import options
from framework.core.errors import UsageError

OWN = ("presets", "opacities", "seeds", "resamples", "progress")  # keys of conf/threshold.yaml
FEWEST = 3  # opacities: a curve has a place, a slope and a top
MULTIRUN = ("-m", "--multirun")


def words(typed: Sequence[str]) -> list[str]:
    """Returns the words that are composed: `preset=a,b` becomes the first preset and a list of all.

    Raises UsageError where no preset is named, one is unknown or named twice, or a key is set that this command sets.
    """
    if any(word in MULTIRUN for word in typed):
        raise UsageError("-m: this command takes several values itself, expected preset=a,b and opacities=[...]")
    for key, instead in (("seed", "seeds=[0,1]"), ("benchmark.opacity", "opacities=[0.05,0.1,1.0]")):
        if given := [word for word in typed if word.lstrip("+").partition("=")[0] == key]:
            raise UsageError(f"{key}: got {given[0]}, which this command sets for every run; expected {instead}")
    named = [word.partition("=")[2] for word in typed if word.startswith("preset=")]
    if len(named) != 1 or not named[0]:
        if any(word in ("--help", "-h", "--cfg", "--info") for word in typed):
            return list(typed)
        raise UsageError(
            f"preset: got {' and '.join(named) or 'none'}, expected one list such as preset=uniform,adapttoken"
        )
    presets, known = [name.strip() for name in named[0].strip("[]").split(",")], options("preset")
    if unknown := [name for name in presets if name not in known]:
        raise UsageError(f"preset: got {unknown[0]!r}, expected names out of {', '.join(known)}")
    if len(set(presets)) < len(presets):
        raise UsageError(f"preset: got {named[0]}, expected every preset once")
    rest = [word for word in typed if not word.startswith("preset=")]
    return [*rest, f"preset={presets[0]}", f"presets=[{','.join(presets)}]"]


def run(cfg: DictConfig) -> Path:
    """Runs every preset at every opacity, fits the curves, prints the tables and writes them. Returns their folder.

    Raises UsageError, before a model is loaded, for what cannot be measured. Raises RunError where a question failed.
    """
    listed = list(cfg.opacities) if isinstance(cfg.opacities, ListConfig) else []
    opacities, seeds = checked_opacities(listed, cfg.opacities), _seeds(cfg.seeds)
    if not (isinstance(cfg.resamples, int) and cfg.resamples >= 100):
        raise UsageError(f"resamples: got {cfg.resamples!r}, expected a whole number >= 100")
    if "opacity" not in cfg.benchmark:
        raise UsageError(
            f"benchmark: got {cfg.benchmark.name}, whose evidence has no opacity; expected made videos, such as "
            "benchmark=needle"
        )
    typed = [word for word in HydraConfig.get().overrides.task if _key(word) not in (*OWN, "preset")]
    runs = planned(list(cfg.presets), opacities, seeds, typed)
    for one in runs[: len(cfg.presets)]:  # one of each preset; the others differ in opacity and seed alone
        check(one.cfg, (*STRATEGIES, "backbone", "prober", "reader", "benchmark"))
    from framework.commands.threshold_runs import conduct

    return conduct(runs, resamples=cfg.resamples, progress=bool(cfg.progress))


def _key(word: str) -> str:
    return word.lstrip("+~").partition("=")[0]


def checked_opacities(values: Sequence[Any], given: Any) -> list[float]:
    """Returns `values` as numbers.

    Raises UsageError, saying what was `given`, unless they are at least three, ascending, above 0 and up to 1.
    """
    plain = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)
    if len(values) < FEWEST or not plain:
        raise UsageError(f"opacities: got {given}, expected a list of at least {FEWEST} numbers")
    numbers = [float(value) for value in values]
    ascending = all(low < high for low, high in pairwise(numbers))
    if not (ascending and numbers[0] > 0 and numbers[-1] <= 1):
        raise UsageError(f"opacities: got {given}, expected numbers that ascend, above 0 and up to 1")
    return numbers


def _seeds(given: Any) -> list[int]:
    values = list(given) if isinstance(given, ListConfig) else []
    whole = all(isinstance(value, int) and not isinstance(value, bool) for value in values)
    if not values or not whole or len(set(values)) < len(values):
        raise UsageError(f"seeds: got {given}, expected a list of different whole numbers, such as seeds=[0,1]")
    return values
