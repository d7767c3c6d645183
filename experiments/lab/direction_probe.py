"""Does a frozen vision tower tell which way a needle drifts inside its cell? A linear probe on its tokens.

    python -m experiments.lab.direction_probe train=80,400 test=40 checkpoint=asset:lab

Videos of the split `direction`, five needles each: one token per tick, at four places at most two pixels off the middle
of the cell. Ridge regression on the four directions; its penalty is chosen on a fifth of the training videos. `mean`
does not know the order of the ticks and `one tick` sees a random one, from which the direction cannot be told: both
must stay at chance, .25. Prints a table.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from experiments.common import arguments, markdown, numbers
from framework.evaluation.statistics import mean_interval
from framework.lab.features import NeedleFeatures, NeedleSettings, needle_tokens
from framework.lab.training.recipe import load

DEFAULTS = {"train": "80,400", "test": "40", "checkpoint": "asset:lab", "cache": "~/.cache/tokensieve/features"}
MEANINGS = {
    "train": "numbers of videos that the probe learns from, one table row for each",
    "test": "number of other videos that it is tested on",
    "checkpoint": "lab model whose vision tower is probed: a folder or asset:NAME",
}
FRAMES, SPAN, QUESTIONS, DIRECTIONS = 128, 8, 5, 4
PENALTIES = (1.0, 10.0, 100.0, 1000.0)
READINGS: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "four ticks": lambda tokens, tick: tokens.reshape(len(tokens), -1),
    "last - first": lambda tokens, tick: tokens[:, -1] - tokens[:, 0],
    "mean": lambda tokens, tick: tokens.mean(1),
    "one tick": lambda tokens, tick: tokens[np.arange(len(tokens)), tick],
}


def needles(features: NeedleFeatures) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Returns tokens f32 [needles, ticks, D], directions i64 [needles], and the video of each needle."""
    videos = [features[index] for index in range(len(features))]
    found = [(video, question) for video in videos for question in video.questions]
    tokens = np.stack([video.features[needle_tokens(question.evidence[0])] for video, question in found])
    truth = np.array([question.truth[0] for _, question in found])
    return tokens.astype(np.float32), truth, [str(n) for n, video in enumerate(videos) for _ in video.questions]


def ridge(train: np.ndarray, truth: np.ndarray, test: np.ndarray, penalty: float) -> np.ndarray:
    """Returns the likeliest class of every row of `test`, i64 [n], by ridge regression.

    Columns are standardised by those of `train`.
    """
    mean, spread = train.mean(0), train.std(0) + 1e-6
    known, asked = (train - mean) / spread, (test - mean) / spread
    target = np.eye(DIRECTIONS)[truth]
    weights = np.linalg.solve(known.T @ known + penalty * np.eye(known.shape[1]), known.T @ (target - target.mean(0)))
    return np.asarray((asked @ weights + target.mean(0)).argmax(1))


def probe(train: np.ndarray, truth: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Returns what `ridge` says of `test`, with the best of PENALTIES.

    The best one is right most often on the last fifth of the training needles.
    """
    cut = len(train) * 4 // 5
    right = [(ridge(train[:cut], truth[:cut], train[cut:], p) == truth[cut:]).mean() for p in PENALTIES]
    return ridge(train, truth, test, PENALTIES[int(np.argmax(right))])


def main(given: list[str]) -> None:
    """Prints accuracies on held-out needles."""
    chosen = arguments(given, DEFAULTS, __doc__, MEANINGS)
    model, _ = load(chosen["checkpoint"])

    def drawn(videos: int, seed: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
        kinds = [{"split": "direction", "opacity": 1.0, "videos": videos}]
        settings = NeedleSettings(kinds, FRAMES, QUESTIONS, SPAN, 0.05, 0.25, 0.0, seed)
        return needles(NeedleFeatures(settings, model.eval(), Path(chosen["cache"])))

    tokens, truth, _ = drawn(max(numbers(chosen["train"])), 1)
    asked, right, videos = drawn(int(chosen["test"]), 2)
    ticks = [
        np.random.default_rng(seed).integers(SPAN // 2, size=n) for seed, n in enumerate((len(tokens), len(asked)))
    ]
    rows = []
    for count in numbers(chosen["train"]):
        use = slice(count * QUESTIONS)
        for name, read in READINGS.items():
            hits = probe(read(tokens[use], ticks[0][use]), truth[use], read(asked, ticks[1])) == right
            found = mean_interval(hits.astype(float).tolist(), videos)
            rows.append([str(count * QUESTIONS), name, str(found), str(len(right))])
    print(markdown(["trained on", "reading", "accuracy", "needles"], rows))


if __name__ == "__main__":
    main(sys.argv[1:])
