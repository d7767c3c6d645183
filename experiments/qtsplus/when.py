"""Whether kept tokens still say when something happened: time in the re-encoder or not, their positions kept or not.

    python -m experiments.qtsplus.when kept=26,52 videos=200 questions=2 seed=7200

Split `when` (start, middle or end of the video). With positions `kept` the language model sees the tokens at their
original times; `sequential` numbers them like text, and absolute time can only come from the re-encoder. `stage 1`
trains the selector alone, `stage 2` the language model with it. Each arm answers from its own selection, and from the
needle's tokens with random others (`given`), which it re-encodes. Trains the arms that are missing. Writes
qtsplus_when.csv into docs/results (key: results).
"""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from experiments.common import RESULTS, Row, arguments, composing, interval, markdown, numbers, read, write
from experiments.qtsplus import __main__ as qtsplus
from experiments.qtsplus.arms import FOLDER, STAGES, TIME_ARMS, train
from framework.evaluation.statistics import difference_interval, mean_interval
from strategies.learned.qtsplus import checkpoint
from strategies.learned.qtsplus.selector import Chosen, Selector
from strategies.learned.qtsplus.training.batches import Batch
from strategies.learned.qtsplus.training.evaluation import Pick, Questions, by_weights, oracle

NAME = "qtsplus_when"
DEFAULTS = {
    "kept": "26,52",
    "videos": "200",
    "questions": "2",
    "seed": "7200",
    "backbone": "lab",
    "folder": str(FOLDER),
    "words": "",
    "results": str(RESULTS),
}
MEANINGS = {
    "kept": "visual tokens kept of 512",
    "seed": "seed of the videos and their questions",
    "folder": "folder in which trained arms and given answers are kept",
}
CONTROL = "no time, sequential"
ALONE = "language model alone"


def reencode_given(selector: Selector) -> Pick:
    """Returns a way to choose: the needle's tokens and random others, re-encoded by a selector."""
    selector = selector.float().eval()

    def pick(batch: Batch, asked: Questions, count: int) -> Chosen:
        chosen = oracle(batch, asked, count)
        seconds = batch.seconds.gather(1, chosen.index)
        return replace(chosen, tokens=selector.reencode(chosen.tokens, chosen.mask, seconds))

    return pick


def measure(chosen: dict[str, str]) -> list[dict[str, Any]]:
    """Returns one row per arm, number kept and way to choose."""
    settings = {**chosen, "folder": str(Path(chosen["folder"]) / "when")}
    bench = qtsplus.Bench(settings, "when", qtsplus.FRAMES)
    answers: dict[tuple[str, int, str, int], qtsplus.Answered] = {}
    for count in numbers(chosen["kept"]):
        for positions in ("kept", "sequential"):
            name = f"{ALONE}, {positions}"
            rows = bench.ask(name, lambda: oracle, count, positions)
            answers[name, 0, "given", count] = qtsplus.right([rows], bench.settings.questions)
    for stage, names in STAGES.items():
        for name in names:
            title = f"{name}, stage {stage}"
            path = train(Path(chosen["folder"]), title, TIME_ARMS[title], 0, chosen["backbone"], chosen["words"])
            selector, about = checkpoint.load(path)[0], checkpoint.read(path)
            arm = qtsplus.Bench(settings, "when", qtsplus.FRAMES, path if stage == 2 else None)
            for count in numbers(chosen["kept"]):
                for way, make in (
                    ("own", partial(by_weights, selector, arm.backbone)),
                    ("given", partial(reencode_given, selector)),
                ):
                    rows = arm.ask(f"{title}-{way}", make, count, about.positions)
                    answers[name, stage, way, count] = qtsplus.right([rows], arm.settings.questions)
    table = []
    for (name, stage, way, count), mine in answers.items():
        videos, values = [str(video) for video, _ in mine], list(mine.values())
        accuracy = mean_interval(values, videos)
        row = {"arm": name, "stage": stage, "tokens": way, "kept": count, "questions": len(mine)}
        row |= {"accuracy": accuracy.value, "low": accuracy.low, "high": accuracy.high}
        control = answers.get((CONTROL, stage, way, count))
        against = None
        if control is not None and name != CONTROL:
            against = difference_interval(values, [control[key] for key in mine], videos)
        row |= {"minus_control": against.value if against else None}
        row |= {"minus_control_low": against.low if against else None}
        table.append({**row, "minus_control_high": against.high if against else None})
    return table


def table(rows: list[Row]) -> str:
    """Returns a Markdown table of the accuracy of every arm, and its paired difference to the control."""
    kept = sorted({row["kept"] for row in rows})
    columns = [(way, count) for way in ("own", "given") for count in kept]
    cell = {(row["arm"], row["stage"], row["tokens"], row["kept"]): row for row in rows}
    arms = list(dict.fromkeys((row["arm"], row["stage"]) for row in rows))
    head = ["stage", "arm", *(f"{way}, {count} kept" for way, count in columns), f"minus control, own, {kept[-1]} kept"]
    body = []
    for arm, stage in sorted(arms, key=lambda one: one[1]):
        found = [cell.get((arm, stage, *column)) for column in columns]
        last = cell.get((arm, stage, "own", kept[-1]))
        minus = interval(last, "minus_control") if last else ""
        body.append([stage or "", arm, *(interval(row) if row else "" for row in found), minus])
    return markdown(head, body)


def main(given_words: list[str]) -> None:
    """Trains what is missing, measures, writes the numbers and prints the table."""
    chosen = arguments(given_words, DEFAULTS, __doc__, MEANINGS)
    path = Path(chosen["results"]) / f"{NAME}.csv"
    with composing():
        write(path, measure(chosen))
    print(table(read(path)))


if __name__ == "__main__":
    main(sys.argv[1:])
