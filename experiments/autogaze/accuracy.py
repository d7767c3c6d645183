"""What tokens chosen by a gaze are worth on wide videos, against other ways to choose as many.

    python -m experiments.autogaze.accuracy thresholds=0.1,0.2,0.4 kept=63,125,251,502 videos=40 seed=9100

Frames of 7 x 7 tokens, mostly as they were before: 1,568 tokens a video. 4, 8, 16 and 32 % of them are kept, then as
many as the gaze itself ends with at some thresholds. Every row is a composed configuration, run like `sieve eval` runs
it, and replayed for the smaller budgets; the oracle keeps the needle's tokens and random others. Once for the benchmark
as it is, once with faint needles (opacity .2, noise .1), which attention can miss: experiments/lab/wide_oracle.py.
Writes autogaze_accuracy.csv into docs/results (key: folder).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from experiments.autogaze.accuracy_tables import tables
from experiments.common import RESULTS, Row, arguments, commits, composing, lines, numbers, read, replay, run, write
from experiments.lab import wide_oracle
from framework.evaluation.statistics import difference_interval, holm, mean_interval, sign_flip
from strategies.learned.qtsplus.training.evaluation import oracle

NAME = "autogaze_accuracy"
TOKENS = 1568
SETTINGS = {"as it is": {}, "faint": {"opacity": "0.2", "noise": "0.1"}}
REFERENCES = ("uniform", "attention")
UNPROBED = ("uniform", "random")  # encode no more than they keep, so nothing of theirs can be replayed
BUDGET = "budget"  # what ends the choice, where it is not the gaze's threshold
DEFAULTS = {
    "checkpoint": "asset:autogaze_lab",
    "stop": "epsilon",  # or loss_threshold, for weights without a calibration
    "thresholds": "0.1,0.2,0.4",
    "kept": "63,125,251,502",
    "settings": ",".join(SETTINGS),
    "videos": "40",
    "seed": "9100",
    "folder": str(RESULTS),
}
MEANINGS = {
    "checkpoint": "weights of the gaze: a path, asset:NAME or random:SEED",
    "stop": "what ends a frame: epsilon, or loss_threshold for weights without a calibration",
    "thresholds": "values of what ends a frame, one run for each",
    "kept": "visual tokens kept in total",
    "settings": "how visible the needles are: some of `as it is` and `faint`",
}
Lines = Sequence[Mapping[str, Any]]


def ways(checkpoint: str) -> dict[str, list[str]]:
    """Returns the overrides of every way to choose tokens, by name.

    AdaptToken chooses inside groups and shares the budget by what the groups answer.
    """
    whole, loop = ["preset=flexselect", "splitter=whole"], ["preset=adapttoken"]
    gaze = f"autogaze.checkpoint={checkpoint}"
    pixels, features, asked = (
        [f"scorer=reconstruction{kind}", "scorer.enough=null"]  # all are ranked: the budget alone decides
        for kind in ("_pixels", "", "_query")
    )
    return {
        "uniform": ["preset=uniform", "scorer=uniform_tokens"],
        "random": ["preset=random"],
        "attention": whole,
        "reconstruction, pixels": whole + pixels,
        "reconstruction, features": whole + features,
        "reconstruction, question": whole + asked,
        "autogaze": ["preset=autogaze", "scorer=autogaze", "splitter=whole", gaze],
        "adapttoken, attention": loop,
        "adapttoken, reconstruction, pixels": loop + pixels,
        "adapttoken, reconstruction, features": loop + features,
        "adapttoken, reconstruction, question": loop + asked,
        "adapttoken, autogaze": [*loop, "scorer=autogaze", gaze],
    }


class Setting:
    """Holds the videos of one setting, and asks everything about them."""

    def __init__(self, name: str, chosen: Mapping[str, str]) -> None:
        self.name, self.chosen, self.shown = name, chosen, SETTINGS[name]
        self.most = max(numbers(chosen["kept"]))
        self.ways = ways(chosen["checkpoint"])
        self.common = ["backbone=lab_wide", "benchmark=needle_wide", f"benchmark.videos={chosen['videos']}"]
        self.common += [f"seed={chosen['seed']}", *(f"benchmark.{key}={value}" for key, value in self.shown.items())]
        self.commits: set[str] = set()

    def rows(self) -> list[dict[str, Any]]:
        """Returns the rows of every way at every number kept, then those of the gaze's own stopping."""
        rows = []
        wide = wide_oracle.Wide.of({**wide_oracle.DEFAULTS, **self.shown, **self._of("videos", "seed")})
        for kept in numbers(self.chosen["kept"]):
            found = {way: self.answered(way, kept) for way in self.ways}
            right = wide.right(oracle, kept)  # questions in the order of their ids
            sure = [{**line, "correct": float(r)} for line, r in zip(found["uniform"], right, strict=True)]
            rows += compare({"oracle": sure, **found}, setting=self.name, ends=BUDGET, kept=kept)
        for threshold in self.chosen["thresholds"].split(","):
            words = [f"scorer.{self.chosen['stop']}={threshold}", f"budget={TOKENS}"]
            own = self._lines(run([*self.ways["autogaze"], *self.common, *words], f"{self.name}  {words[0]}"))
            kept = round(fmean(line["tokens_kept"] for line in own))
            others = {way: self.answered(way, kept) for way in REFERENCES}
            stop = f"{self.chosen['stop']} {threshold}"
            rows += compare({**others, "autogaze": own}, setting=self.name, ends=stop, kept=kept)
        return rows

    def answered(self, way: str, kept: int) -> Lines:
        """Answers all questions from `kept` tokens and returns their lines.

        A way is run once, with the most tokens, and replayed with fewer; ways in UNPROBED are run with `kept` tokens.
        """
        words, title = [*self.ways[way], *self.common], f"{self.name}  {kept} kept  {way}"
        if way in UNPROBED:
            return self._lines(run([*words, f"budget={kept}"], title))
        most = self.most if kept <= self.most else TOKENS
        recorded = run([*words, f"budget={most}"], f"{self.name}  {most} recorded  {way}", record=True)
        return self._lines(recorded if kept == most else replay(recorded, [*words, f"budget={kept}"], title))

    def _lines(self, folder: Path) -> Lines:
        self.commits.add(commits([folder]))
        return sorted(lines(folder), key=lambda line: str(line["id"]))

    def _of(self, *keys: str) -> dict[str, str]:
        return {key: self.chosen[key] for key in keys}


def compare(found: Mapping[str, Lines], **setting: Any) -> list[dict[str, Any]]:
    """Returns one row per way, led by `setting`: accuracy and paired differences with the references.

    Intervals and p-values draw and flip whole videos.
    """
    videos = [str(line["video"]) for line in found[REFERENCES[0]]]
    right = {way: [float(line["correct"]) for line in own] for way, own in found.items()}
    rows = []
    for way, own in found.items():
        accuracy = mean_interval(right[way], videos)
        row = {**setting, "run": way, "n": len(own), "videos": len(set(videos))}
        row |= {"accuracy": accuracy.value, "low": accuracy.low, "high": accuracy.high}
        for other in REFERENCES:
            cells: list[float | None] = [None] * 4
            if way != other:
                apart = difference_interval(right[way], right[other], videos)
                flips = sign_flip([a - b for a, b in zip(right[way], right[other], strict=True)], videos)
                cells = [apart.value, apart.low, apart.high, flips]
            row |= dict(zip((other, f"{other}_low", f"{other}_high", f"{other}_p"), cells, strict=True))
        rows.append({**row, "tokens_kept": None if way == "oracle" else fmean(line["tokens_kept"] for line in own)})
    return rows


def with_holm(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Returns the rows with Holm's correction over all comparisons of a setting, with either reference."""
    found = [{**row, **{f"{other}_p_holm": None for other in REFERENCES}} for row in rows]
    for setting in {row["setting"] for row in found}:
        family = [(row, f"{other}_p") for row in found if row["setting"] == setting for other in REFERENCES]
        family = [(row, key) for row, key in family if row[key] is not None]
        for (row, key), p in zip(family, holm([row[key] for row, key in family]), strict=True):
            row[f"{key}_holm"] = p
    return found


def main(given: list[str]) -> None:
    """Runs all settings, writes their numbers and prints the tables."""
    chosen = arguments(given, DEFAULTS, __doc__, MEANINGS)
    with composing():
        settings = [Setting(name, chosen) for name in chosen["settings"].split(",")]
        rows = [row for setting in settings for row in setting.rows()]
    path = Path(chosen["folder"]) / f"{NAME}.csv"
    write(path, with_holm(rows))
    print("\n\n".join(tables(read(path))))
    print(f"commit {', '.join(sorted(set().union(*(setting.commits for setting in settings))))}")


if __name__ == "__main__":
    main(sys.argv[1:])
