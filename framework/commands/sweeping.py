"""Which sweep this process works on: a sweep's callback says it, a run that begins asks for it.

Hydra tells a run what was chosen for it, but not what was varied.
"""

from __future__ import annotations

import hashlib
import json
from contextvars import ContextVar
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from framework.config.identity import versions
from framework.evaluation.typed import may_change_results
from framework.trackers import Sweep

SHORT = 6  # characters of an id
_current: ContextVar[Sweep | None] = ContextVar("sweep", default=None)


def current_sweep() -> Sweep | None:
    """Returns the sweep that the run of this moment belongs to; None where it runs alone."""
    return _current.get()


def announce(sweep: Sweep | None) -> None:
    """Says which sweep the next run of this process belongs to."""
    _current.set(sweep)


def sweep_of(config: DictConfig) -> Sweep | None:
    """Describes a sweep by the configuration that it starts with; None where nothing is varied.

    The id follows from the chosen options, the swept values and what else was typed, as far as it can change a result.
    So the same sweep started again has the same id.
    """
    hydra = config.hydra
    typed = [str(word) for word in hydra.overrides.task]
    params = OmegaConf.select(hydra, "sweeper.params") or {}
    parsed = OverridesParser.create().parse_overrides([*(f"{key}={values}" for key, values in params.items()), *typed])
    last = {str(override.get_key_element()).lstrip("+~"): override for override in parsed}  # what is typed wins
    keys = tuple(key for key, override in last.items() if override.is_sweep_override())
    if not keys:
        return None
    choices = choices_of(hydra)
    values = {key: str(override.input_line).partition("=")[2] for key, override in last.items()}
    said = {key: value for key, value in {**choices, **values}.items() if key != "ablation" and may_change_results(key)}
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
    return Sweep(digest[:SHORT], choices.get("ablation", "sweep"), keys, tuple(typed), choices, versions())


def choices_of(hydra: Any) -> dict[str, str]:
    """Returns group -> chosen option, without Hydra's own groups and those where nothing is chosen.

    What an option chooses of another group to stand in its place (`backbone@prober`) follows from it.
    """
    chosen = ((str(key), value) for key, value in hydra.runtime.choices.items() if value is not None)
    return {key: str(value) for key, value in chosen if not key.startswith("hydra/") and "@" not in key}
