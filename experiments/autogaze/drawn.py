"""How much of what the lab's reconstructor shows it draws itself, and what its training is worth there.

    python -m experiments.autogaze.drawn clips=64 seed=9000 random=0.05,0.1,0.2 budgets=1,2,4 gaze=asset:autogaze_lab reconstructor=asset:reconstructor_lab threads=1

It shows every pixel as it was last seen and draws only what never was (`canvas: true`). So: the share of pixels that it
draws, and the loss with its trained weights and with random ones, for random picks, a fixed coarse order and the gaze.
Writes autogaze_drawn.csv into docs/results (key: results).
"""  # noqa: E501

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from experiments.autogaze.judge import UNSEEN, Judge
from experiments.autogaze.measure import FRAMES, made_clips
from experiments.autogaze.policies import COARSE, Learned, orders
from experiments.common import RESULTS, Row, arguments, markdown, numbers, read, write
from strategies.learned.autogaze.gaze.source import Source as Gaze
from strategies.learned.autogaze.reconstructor.model import Reconstructor
from strategies.learned.autogaze.reconstructor.source import Source
from strategies.learned.autogaze.training.random_masks import even_picks

NAME = "autogaze_drawn"
DEFAULTS = {
    "clips": "64",
    "seed": "9000",
    "random": "0.05,0.1,0.2",
    "budgets": "1,2,4",
    "gaze": "asset:autogaze_lab",
    "reconstructor": "asset:reconstructor_lab",
    "threads": "1",
    "results": str(RESULTS),
}
MEANINGS = {
    "seed": "seed of the made-up clips, the random picks and the random weights",
    "random": "shares of a clip's patches that are picked at random",
    "budgets": "picks of every frame, in the fixed order and by the gaze",
}


def row(name: str, picked: Tensor, trained: Judge, untrained: Judge) -> dict[str, Any]:
    """Returns one row about picks, bool [N, T, V]: the share that is drawn, and the losses of both judges."""
    drawn = (trained.source(picked) == UNSEEN).float().mean(2)  # [N, T]
    losses = {"trained": float(trained.loss(picked).mean()), "untrained": float(untrained.loss(picked).mean())}
    return {"picks": name, "drawn": float(drawn.mean()), "drawn_last": float(drawn[:, -1].mean()), **losses}


def rows(chosen: dict[str, str]) -> list[dict[str, Any]]:
    """Returns the rows of random picks, then those of a fixed order and of the gaze at every budget."""
    words = Gaze(chosen["gaze"], "gaze").about.config.vocabulary
    network = Source(chosen["reconstructor"], words).network
    torch.manual_seed(int(chosen["seed"]))
    other = Reconstructor(network.config).eval().requires_grad_(False)
    pixels = made_clips(int(chosen["seed"]), int(chosen["clips"]), network.config.side)
    judges = Judge(network, pixels), Judge(other, pixels)
    generator, found = np.random.default_rng(int(chosen["seed"])), []
    for share in map(float, chosen["random"].split(",")):
        picked = even_picks(generator, len(pixels), FRAMES, words, share)
        found.append(row(f"{share:.0%} at random", picked, *judges))
    fixed, gaze = orders(COARSE, pixels, range(len(pixels)), words, 0), Learned(chosen["gaze"], words)
    for budget in numbers(chosen["budgets"]):
        found.append(row(f"{COARSE}, {budget} a frame", words.picked(fixed[:, :, :budget]), *judges))
    for budget in numbers(chosen["budgets"]):
        found.append(row(f"gaze, {budget} a frame", words.picked(gaze.picks(pixels, budget).ids), *judges))
    return found


def table(found: Sequence[Row]) -> str:
    """Returns the rows as a Markdown table."""
    head = ["picks", "pixels drawn", "in the last frame", "loss, trained weights", "loss, random weights"]
    lines = [
        [r["picks"], f"{r['drawn']:.0%}", f"{r['drawn_last']:.0%}", f"{r['trained']:.3f}", f"{r['untrained']:.3f}"]
        for r in found
    ]
    return markdown(head, lines)


def main(given: list[str]) -> None:
    """Measures, writes the numbers and prints the table."""
    chosen = arguments(given, DEFAULTS, __doc__, MEANINGS)
    torch.set_num_threads(int(chosen["threads"]))
    try:
        found = rows(chosen)
    except ValueError as error:
        raise SystemExit(str(error)) from error
    path = Path(chosen["results"]) / f"{NAME}.csv"
    write(path, found)
    print(table(read(path)))


if __name__ == "__main__":
    main(sys.argv[1:])
