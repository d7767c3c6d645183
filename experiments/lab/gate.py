"""Can a lab model read whatever a selector keeps, at any length? The gate before methods are compared with it.

    python -m experiments.lab.gate backbone=lab frames=256,1024,4096,10000 kept=32,64 videos=40 seed=9000

Every question about a made video is asked twice. Once about the tokens that show its needles, filled up with random
others to the number kept; once about random others alone, which decide nothing. Both at original times. A cell passes
where accuracy is at least .95, entropy with the needles at most .1 nats and without them at least .9 of a guess. Only
ticks of which a token is kept are rendered and encoded, so long videos cost no more. No film is written. Prints a
table.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import entr

from experiments.common import arguments, compose_root, composing, markdown, numbers
from framework.config.parts import build_backbone, prompt_template
from framework.core.backbone import Backbone
from framework.core.prompts import PromptTemplate
from framework.core.types import Answer, Frames, Selection
from framework.evaluation.statistics import mean_interval
from framework.lab.features import needle_tokens
from framework.lab.needles import needle_scene
from framework.lab.questions import LabQuestion
from framework.lab.render import render
from framework.lab.scene import Scene
from framework.lab.world import FRAMES_PER_SECOND, FRAMES_PER_TICK

DEFAULTS = {
    "backbone": "lab",
    "checkpoint": "",
    "frames": "256,1024,4096,10000",
    "kept": "32,64",
    "splits": "attribute,conjunction,two_evidence,when,order,count",
    "videos": "40",
    "seed": "9000",
}
MEANINGS = {
    "checkpoint": "weights in place of the backbone's own: a folder or asset:NAME; empty: its own",
    "kept": "numbers of visual tokens that a question is answered from",
    "seed": "seed of the videos and their questions",
}
SPAN, QUESTIONS, OPACITY, NOISE, DENSITY = 8, 5, 1.0, 0.05, 0.25
ACCURATE, CERTAIN, UNCERTAIN = 0.95, 0.1, 0.9  # share, nats, share of a guess's entropy


@dataclass(frozen=True)
class Reader:
    """Holds the model that is asked, and how it likes its questions."""

    backbone: Backbone
    prompt: PromptTemplate

    @classmethod
    def of(cls, chosen: Mapping[str, str]) -> Reader:
        """Builds what the keys of DEFAULTS say; works inside `composing`."""
        other = [f"backbone.adapter.checkpoint={chosen['checkpoint']}"] if chosen["checkpoint"] else []
        cfg = compose_root([f"backbone={chosen['backbone']}", "answer_positions=original", *other])
        return cls(build_backbone(cfg), prompt_template(cfg))

    def answer(self, scene: Scene, question: LabQuestion, kept: np.ndarray) -> Answer:
        """Answers from the tokens `kept` alone, i64 [K], ascending numbers (tick * cells + cell), at original times."""
        ticks, place = np.unique(kept // scene.cells, return_inverse=True)
        pixels = np.stack([render(scene, int(t) * FRAMES_PER_TICK, (int(t) + 1) * FRAMES_PER_TICK) for t in ticks])
        seconds = torch.from_numpy(ticks * FRAMES_PER_TICK / FRAMES_PER_SECOND)
        layout = self.backbone.layout(torch.from_numpy(ticks), scene.side, scene.side)
        wanted = torch.zeros(len(ticks) * scene.cells, dtype=torch.bool)
        wanted[torch.from_numpy(place * scene.cells + kept % scene.cells)] = True
        tokens = self.backbone.encode(Frames(torch.from_numpy(pixels).movedim(-1, 2), seconds), layout, wanted)
        clock = torch.arange(scene.ticks, dtype=torch.float64) * FRAMES_PER_TICK / FRAMES_PER_SECOND
        group = torch.zeros(len(tokens), dtype=torch.long)
        asked = self.prompt.question("gate", question.bare, question.options)
        return self.backbone.answer(Selection(tokens, group, len(tokens), clock), asked)


@dataclass(frozen=True)
class Cell:
    """Holds what one split gave at one length and one number of tokens. Entropies are means, over the options."""

    right: list[float]  # of every question, 0 or 1
    videos: list[str]
    with_needles: float  # nats
    without: float  # share of a guess's entropy

    @property
    def passed(self) -> bool:
        """Says whether the model reads this cell well enough for methods to be compared on it."""
        accuracy = sum(self.right) / len(self.right)
        return accuracy >= ACCURATE and self.with_needles <= CERTAIN and self.without >= UNCERTAIN


@torch.no_grad()
def cell(reader: Reader, split: str, frames: int, kept: int, videos: int, seed: int) -> Cell:
    """Asks every question of `videos` made videos from `kept` tokens, with its needles and without."""
    right, names, certain, doubt = [], [], [], []
    for number in range(videos):
        drawn = np.random.default_rng([seed, number])
        scene, questions = needle_scene(drawn, split, frames, QUESTIONS, SPAN, OPACITY, NOISE, DENSITY)
        for question in questions:
            needles = np.unique(np.concatenate([needle_tokens(one, scene.cells) for one in question.evidence]))
            others = drawn.permutation(np.setdiff1d(np.arange(scene.ticks * scene.cells), needles))
            shown = reader.answer(scene, question, np.sort(np.concatenate([needles, others])[:kept]))
            hidden = reader.answer(scene, question, np.sort(others[:kept]))
            right.append(float(shown.choice == question.right))
            names.append(str(number))
            certain.append(float(entr(shown.probabilities).sum()))
            doubt.append(float(entr(hidden.probabilities).sum()) / math.log(len(question.options)))
    return Cell(right, names, float(np.mean(certain)), float(np.mean(doubt)))


def main(given: list[str]) -> None:
    """Prints one row per split and length, with its 95 % interval over videos."""
    chosen = arguments(given, DEFAULTS, __doc__, MEANINGS)
    torch.set_num_threads(1)
    with composing():
        reader = Reader.of(chosen)
    head = ["split", "frames", "kept", "accuracy", "entropy, nats", "entropy without needles, of a guess", "passed"]
    rows = []
    for split in chosen["splits"].split(","):
        for frames in numbers(chosen["frames"]):
            for kept in numbers(chosen["kept"]):
                one = cell(reader, split, frames, kept, int(chosen["videos"]), int(chosen["seed"]))
                accuracy = mean_interval(one.right, one.videos)
                figures = [str(accuracy), f"{one.with_needles:.3f}", f"{one.without:.3f}"]
                rows.append([split, f"{frames:,}", kept, *figures, "yes" if one.passed else "no"])
                print(rows[-1], file=sys.stderr, flush=True)
    print(markdown(head, rows))


if __name__ == "__main__":
    main(sys.argv[1:])
