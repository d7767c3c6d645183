"""The same effort for every method: all its settings on calibration videos, the best frozen before any test video."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from experiments.common import commits, compose_root, lines
from experiments.yardstick.answering import Cell
from experiments.yardstick.cost import cost
from experiments.yardstick.method import METHODS, TUNED, Method
from framework.backbones.loading import locate_checkpoint
from framework.config.identity import whole
from framework.config.prober import has_prober
from framework.core.errors import UsageError

CONDITIONS = ("weights", "benchmark", "seeds", "frames", "opacities", "budgets")  # which a comparison must share
KEYS = {"words", "accuracy", "operations", "tried", "commit", *CONDITIONS}


@dataclass(frozen=True)
class Calibration:
    """Says what methods are tuned on: made videos whose seeds are never tested."""

    seeds: tuple[int, ...]
    videos: int
    frames: int
    opacities: tuple[float, ...]
    budgets: tuple[int, ...]
    common: tuple[str, ...]  # words of every run: the benchmark, the backbone

    def cells(self) -> list[Cell]:
        """Lists one cell per seed and opacity."""
        size = {"benchmark.videos": self.videos, "benchmark.frames": self.frames}
        return [
            Cell(
                self.common,
                {**size, "benchmark.opacity": opacity, "seed": seed},
                max(self.budgets),
                f"calibration {opacity:g} seed {seed}",
            )
            for seed in self.seeds
            for opacity in self.opacities
        ]


def tune(method: Method, calibration: Calibration, folder: Path = TUNED) -> tuple[str, ...]:
    """Runs every setting of a method and freezes the most accurate; of equal ones the cheapest.

    Nothing is tried where the method was tuned on the same before. Returns the setting.
    """
    file = folder / f"{method.name}.yaml"
    if file.is_file():
        return tuned(method, calibration, folder)
    found = []
    for setting in method.candidates():
        words = method.words(setting)
        runs = [cell.answered(method.name, words, b) for cell in calibration.cells() for b in calibration.budgets]
        right = [line["correct"] for run in runs for line in lines(run)]
        found.append((sum(right) / len(right), setting, runs))
    best = max(accuracy for accuracy, _, _ in found)
    prices = [
        (cost(method.words(setting), calibration.cells()[0], max(calibration.budgets)).operations, setting)
        for accuracy, setting, _ in found
        if accuracy == best
    ]
    operations, setting = min(prices, key=lambda price: price[0])
    table = {
        "words": list(setting),
        "accuracy": round(best, 4),
        "operations": float(f"{operations:.4g}"),
        "tried": len(found),
        **_conditions(calibration, method.words(setting)),
        "commit": commits(found[0][2]),
    }
    folder.mkdir(parents=True, exist_ok=True)
    about = f"# {method.name}, tuned: {_command(method, folder)}\n"
    whole(file, about + OmegaConf.to_yaml(OmegaConf.create(table)))
    return setting


def _command(method: Method, folder: Path) -> str:
    """What to type to tune a method whose setting is frozen in `folder`."""
    places = {"source": (method.folder, METHODS), "tuned": (folder, TUNED)}
    others = [f" {key}={mine}" for key, (mine, usual) in places.items() if mine.resolve() != usual.resolve()]
    return f"python -m experiments.yardstick parts=tune methods={method.name}{''.join(others)}"


def _conditions(calibration: Calibration, words: Sequence[str]) -> dict[str, Any]:
    """What a setting, as `words`, was tuned on, and for which models: a method may bring its own."""
    cfg = compose_root([*words, *calibration.common])
    models = [cfg.backbone, *([cfg.prober] if has_prober(cfg) else [])]
    try:
        places = [locate_checkpoint(model.adapter.checkpoint, "qwen2_5_vl")[0] for model in models]
    except ValueError as error:
        raise UsageError(str(error)) from error
    weights = b"".join(file.read_bytes() for place in places for file in sorted(Path(place).glob("*.safetensors")))
    return {
        "weights": hashlib.sha256(weights).hexdigest()[:12],
        "benchmark": f"{cfg.benchmark.name} {cfg.benchmark.split}, {calibration.videos} videos",
        "seeds": list(calibration.seeds),
        "frames": calibration.frames,
        "opacities": list(calibration.opacities),
        "budgets": list(calibration.budgets),
    }


def tuned(method: Method, calibration: Calibration, folder: Path = TUNED) -> tuple[str, ...]:
    """Returns the frozen setting of a method.

    Raises UsageError where there is none, where it was tuned on something else than `calibration` or for another model,
    and where that model is not there.
    """
    file = folder / f"{method.name}.yaml"
    if not file.is_file():
        raise UsageError(f"{file}: {method.name} has no recorded setting; tune it first: {_command(method, folder)}")
    given: Any = OmegaConf.to_container(OmegaConf.load(file))
    if not isinstance(given, dict) or set(given) != KEYS:
        raise UsageError(f"{file}: expected the keys {', '.join(sorted(KEYS))}; delete the file and tune again")
    for key, wanted in _conditions(calibration, method.words(given["words"])).items():
        if given[key] != wanted:
            raise UsageError(
                f"{file}: tuned with {key}={given[key]}, but this comparison has {key}={wanted}; delete the file and "
                "tune again, or compare on what it was tuned for"
            )
    return tuple(given["words"])


def apart(calibration: Calibration, seeds: Sequence[int]) -> None:
    """Checks that no seed is both tuned on and tested on. Raises UsageError that names it."""
    if both := sorted(set(calibration.seeds) & set(seeds)):
        raise UsageError(
            f"seeds: got {both[0]}, on which methods are tuned; expected seeds other than calibration="
            f"{','.join(map(str, calibration.seeds))}"
        )
