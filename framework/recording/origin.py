"""The run that a replay goes back to: what it was typed as, and whether a changed configuration can use its probes.

A replay is what the recorded run was, with the overrides typed for it on top. What came before the probes must be as it
was; what comes after is free. Imports nothing heavy; knows configuration keys, never their meaning.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from framework.config.groups import NO_RESULT, STRATEGIES
from framework.config.identity import ABOUT, LATER, LOCATIONS, describe
from framework.core.errors import UsageError
from framework.core.home import at_home

RECORDED = ("splitter", "scorer", "backbone.adapter", "backbone.sampling", "frames", "benchmark")  # made the probes
# Keys of backbone.adapter that are free: where it runs, and the ids of the final pass.
ELSEWHERE = (
    "device",
    "device_map",
    "tensor_parallel",
    "attention",
    "questions_per_pass",
    "answer_positions",
    "second_per_grid",
)
LEFT_OUT = (*NO_RESULT, "ablation", "launcher")  # overrides that are not taken over from the recorded run


def words(typed: Sequence[str]) -> list[str]:
    """Returns the command-line words of a replay: those of the run at `recording=FOLDER`, then those `typed`.

    What is typed wins. Raises UsageError where no folder is named, or where it is not the folder of a run.
    """
    named = [word.partition("=")[2] for word in typed if word.startswith("recording=")]
    if not named or not named[-1]:
        raise UsageError("recording: got nothing, expected the folder of a run made with record=true: recording=FOLDER")
    folder = at_home(named[-1], "recording").resolve()
    if not (folder / ABOUT).is_file():
        raise UsageError(f"recording: {folder} is no folder of a run, it has no run.json; expected one of `sieve eval`")
    run = describe(folder)
    rest = [word for word in typed if not word.startswith("recording=")]
    flags = [word for word in rest if "=" not in word and not word.startswith("~")]  # Hydra wants them first
    mine = [word for word in rest if word not in flags]
    kept = list(_kept(run["overrides"], mine))
    asked = [] if any(_key(word) == "benchmark" for word in (*kept, *mine)) else _benchmark(folder)
    return [*flags, *asked, *kept, *mine, f"recording.folder={folder}", f"recording.id={run['id']}"]


def _benchmark(folder: Path) -> list[str]:
    """The benchmark of a run that was not typed: an ablation, of the run or of its replay, may choose another."""
    file = folder / "hydra" / "hydra.yaml"
    chosen = OmegaConf.select(OmegaConf.load(file), "hydra.runtime.choices.benchmark") if file.is_file() else None
    return [f"benchmark={chosen}"] if chosen else []


def _kept(recorded: Sequence[str], typed: Sequence[str]) -> Iterator[str]:
    """The recorded overrides that nothing typed replaces. An option typed anew drops the keys inside the old one; a
    preset typed anew drops all that was chosen for strategies.
    """
    new = {_key(word) for word in typed}
    if "preset" in new:
        new |= set(STRATEGIES)
    for override in recorded:
        key = _key(override)
        parts = key.replace("@", ".").split(".")
        if parts[0] not in LEFT_OUT and not any(".".join(parts[:n]) in new for n in range(1, len(parts) + 1)):
            yield override


def _key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0]


def check_same(folder: Path, cfg: DictConfig) -> None:
    """Checks that the keys that made the probes are as in the recorded run.

    Raises UsageError naming the first key that differs.
    """
    recorded = OmegaConf.load(folder / "config.yaml")
    for key in RECORDED:
        was, now = (_plain(OmegaConf.select(node, key)) for node in (recorded, cfg))
        if key == "backbone.adapter":
            was = {**was, "overlay": _overlay(was.get("overlay"))}
        for place, before, after in _differences(was, now, key):
            if before != after:
                raise UsageError(
                    f"{place} is {after!r} here and was {before!r} when the probes in {folder} were recorded; set it "
                    "back, or record again (sieve eval ... record=true)"
                )


def _overlay(recorded: Any) -> Any:
    """The overlay of a recorded backbone. Runs of before 0.1.0 named a checkpoint there, of which only a whole model
    folder brought weights.
    """
    if not isinstance(recorded, str):
        return recorded
    return {"checkpoint": recorded} if (at_home(recorded, "overlay") / "config.json").is_file() else None


def _plain(node: Any) -> Any:
    return OmegaConf.to_container(node, resolve=True) if isinstance(node, (DictConfig, ListConfig)) else node


def _differences(was: Any, now: Any, key: str) -> Iterator[tuple[str, Any, Any]]:
    """(key, before, after) of every leaf that matters."""
    if not (isinstance(was, dict) and isinstance(now, dict)):
        yield key, was, now
        return
    free = {"backbone.adapter": ELSEWHERE, "backbone.adapter.overlay": ("_target_",)}.get(key, LOCATIONS)
    for name in sorted({*was, *now}, key=lambda one: (one != "_target_", one)):
        if name not in free:
            before, after = (node.get(name, LATER.get(name)) for node in (was, now))
            yield from _differences(before, after, f"{key}.{name}")
