"""The selectors that the QTSplus experiments compare: how each is trained, and the training itself.

    python -m experiments.qtsplus.arms                  # trains what is missing, one after another; go on any time

Every arm is `sieve train recipe=qtsplus` with some words changed; main arms have three seeds. A finished arm leaves
`checkpoint/` in its folder.
"""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from experiments.common import arguments
from framework.config.identity import whole

FOLDER = Path("outputs/qtsplus")
DEFAULTS = {"backbone": "lab", "only": "", "words": "", "folder": str(FOLDER)}
MEANINGS = {
    "only": "arms that are trained, with semicolons between them; empty: all",
    "folder": "folder in which the trained arms are kept",
}


@dataclass(frozen=True)
class Arm:
    """Describes one way to train a selector."""

    words: tuple[str, ...] = ()  # added to `sieve train recipe=qtsplus`
    seeds: tuple[int, ...] = (0,)


MAIN = (0, 1, 2)
ARMS = {
    "qtsplus": Arm(seeds=MAIN),
    "without re-encoder": Arm(("recipe.network.reencode_layers=0",), MAIN),
    "without time": Arm(("recipe.network.time=false",)),
    "official Gumbel gate": Arm(
        ("recipe.training.gate=gumbel", "recipe.training.gate_on=tokens", "recipe.training.extra=0")
    ),
    "learned ratio": Arm(("recipe.training.rho=learned", "recipe.training.most=128")),
}


def place(folder: Path, name: str, seed: int) -> Path:
    """Returns the folder of a trained arm."""
    return folder / f"{name.replace(', ', '-').replace(' ', '_').lower()}-{seed}"


def train(folder: Path, name: str, arm: Arm, seed: int, backbone: str, words: str = "") -> Path:
    """Trains an arm, unless it was trained before, and returns its checkpoint."""
    there = place(folder, name, seed)
    if not (there / "minutes.txt").exists():
        start = time.perf_counter()
        command = [sys.executable, "-m", "framework.cli", "train", "recipe=qtsplus", f"backbone={backbone}"]
        command += [f"folder={there}", f"seed={seed}", "running.progress=false", *arm.words, *words.split()]
        print(f"{name}, seed {seed}: {' '.join(command[3:])}", file=sys.stderr, flush=True)
        subprocess.run(command, check=True)
        whole(there / "minutes.txt", f"{(time.perf_counter() - start) / 60:.1f}\n")
    return there / "checkpoint"


def main(given: list[str]) -> None:
    """Trains every arm, or those named in `only` (a;b).

    SystemExit where there is no such arm.
    """
    chosen = arguments(given, DEFAULTS, __doc__, MEANINGS)
    for name in chosen["only"].split(";") if chosen["only"] else ARMS:
        if name not in ARMS:
            raise SystemExit(f"only={name}: there is no such arm; known: {'; '.join(ARMS)}")
        for seed in ARMS[name].seeds:
            train(Path(chosen["folder"]), name, ARMS[name], seed, chosen["backbone"], chosen["words"])


if __name__ == "__main__":
    main(sys.argv[1:])
