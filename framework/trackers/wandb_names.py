"""What a run is called in W&B: id, name, group, job type, tags and configuration.

Names of our own are cut to what W&B's server takes. It refuses longer ones without a word when it is sent offline runs.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from framework.evaluation.tracker import About, Sweep
from framework.evaluation.typed import may_change_results, typed_key

NAME, GROUP, JOB_TYPE, TAG = 128, 128, 64, 64  # characters, at most
TOLD = ("preset", "benchmark", "ablation", "recording")  # keys that a name says without being typed
SWEEP = "sweep"  # the job type of a sweep's own run


def of_run(about: About, group: str | None, tags: Sequence[str]) -> dict[str, Any]:
    """Returns what `wandb.init` is told of a run. `group` takes the place of the group of our own."""
    sweep = about.sweep
    own = [about.preset, about.benchmark, about.ablation]
    return {
        "id": f"{about.id}-{sweep.id}" if sweep else about.id,
        "name": _cut(run_name(about), NAME),
        "group": group or (group_of(sweep) if sweep else _cut(about.benchmark, GROUP)) or None,
        "job_type": _cut(about.preset, JOB_TYPE) or None,
        "tags": list(dict.fromkeys([*tags, *(name[:TAG] for name in own if name)])),
        "notes": " ".join(about.overrides),
        "config": {**about.config, **_facts(about)},
    }


def of_sweep(sweep: Sweep, group: str | None, tags: Sequence[str]) -> dict[str, Any]:
    """Returns what `wandb.init` is told of a sweep's own run, which holds its table."""
    own = [sweep.choices.get(key, "") for key in TOLD[:3] if key not in sweep.keys]
    return {
        "id": sweep.id,
        "name": _cut(f"{sweep.title}: {', '.join(sweep.keys)}", NAME),
        "group": group or group_of(sweep),
        "job_type": SWEEP,
        "tags": list(dict.fromkeys([*tags, *(name[:TAG] for name in own if name)])),
        "notes": " ".join(sweep.overrides),
        "config": {"swept": list(sweep.keys), **_facts(sweep)},
    }


def run_name(about: About) -> str:
    """Returns what a run differs in from the others of its sweep; alone, its preset, benchmark and typed keys."""
    if about.sweep is not None:
        return " ".join(word for word in about.overrides if typed_key(word) in about.sweep.keys)
    keys = [(word, typed_key(word)) for word in about.overrides]
    typed = [word for word, key in keys if may_change_results(key) and key not in TOLD]
    return " ".join([f"{about.preset or 'own choice'} on {about.benchmark}", *typed])


def group_of(sweep: Sweep) -> str:
    """Returns the group of a sweep's runs: the ablation's name, else `sweep`, and the sweep's id."""
    return f"{sweep.title[: GROUP - len(sweep.id) - 1]}-{sweep.id}"


def dealt_out() -> bool:
    """Says whether an agent of a W&B sweep started this process: then W&B chooses id and project."""
    return bool(os.environ.get("WANDB_SWEEP_ID"))


def _facts(what: About | Sweep) -> dict[str, str]:
    """What was chosen, and what it was begun with."""
    parts = {"choices": what.choices, "versions": what.versions}
    return {f"{part}/{key}": value for part, values in parts.items() for key, value in values.items()}


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
