"""What QTSplus keeps of a video and what it is worth: accuracy against tokens kept, for every arm and split.

    python -m experiments.qtsplus kept=6,11,26,52,57,128,256 videos=200 questions=2 seed=7200

Videos of 256 frames are 512 visual tokens, and 57 of them the 89 % compression of the paper (arXiv 2511.11910). Trains
the arms that are missing (experiments/qtsplus/arms.py), encodes videos that no arm was trained on, lets every row
choose among their tokens, and the same language model answers from these alone at their original times. Of an arm with
several seeds a question's result is the mean over them. At 64 and 1,024 frames a tenth is kept. Needles of `attribute`
have 15 % opacity. Writes qtsplus.png, qtsplus.csv, qtsplus_lengths.csv and qtsplus_ratio.csv into docs/results (key:
results).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from hydra import compose
from matplotlib.figure import Figure

from experiments.common import (
    RESULTS,
    Row,
    arguments,
    chance_line,
    compose_root,
    composing,
    doubling,
    interval,
    markdown,
    numbers,
    read,
    save,
    write,
)
from experiments.qtsplus.arms import ARMS, FOLDER, train
from framework.backbones.base import DecoderBackbone
from framework.config.build import build
from framework.config.identity import whole
from framework.config.parts import prompt_template
from framework.core.interfaces import Backbone, TokenScorer
from framework.evaluation.statistics import difference_interval, mean_interval
from framework.lab.features import NeedleFeatures, NeedleSettings
from strategies.learned.qtsplus import checkpoint, source
from strategies.learned.qtsplus.selector import Selector
from strategies.learned.qtsplus.training.evaluation import (
    Pick,
    by_ratio,
    by_scorer,
    by_weights,
    oracle,
    random,
    table,
    uniform,
)
from strategies.learned.qtsplus.training.fit import build_selector
from strategies.learned.qtsplus.training.recipe import QTSplusRecipe

NAME = "qtsplus"
SPLITS = {"attribute": 0.25, "conjunction": 0.25, "two_evidence": 0.25, "when": 1 / 3, "order": 0.5, "direction": 0.25}
DEFAULTS = {
    "kept": "6,11,26,52,57,128,256",
    "videos": "200",
    "questions": "2",
    "seed": "7200",
    "backbone": "lab",
    "folder": str(FOLDER),
    "arms": ";".join(ARMS),
    "splits": ",".join(SPLITS),
    "words": "",
    "results": str(RESULTS),
}
MEANINGS = {
    "kept": "visual tokens kept of 512",
    "videos": "number of videos of each split",
    "seed": "seed of the videos and their questions",
    "folder": "folder in which trained arms and given answers are kept",
    "arms": "arms that are compared, with semicolons between them",
}
OPACITY = {"attribute": 0.15}
FRAMES, LENGTHS, LENGTH_SPLITS = 256, (64, 1024), ("attribute", "conjunction")
LIMITED, TESTABLE = 0.85, 0.15  # below: limited by the language model; oracle minus chance: what a split needs to count
ATTENTION = {
    "attention": (),  # as the backbone's configuration has it: from the last word of the question
    "attention of all words": ("backbone.attention.rows=question", "backbone.attention.reduce=max"),
}
AGAINST = ("uniform", "random", *ATTENTION, "start", "qtsplus")
BLIND = ("uniform", "random")
RATIO = "learned ratio"
COLOURS = {
    "oracle": "#444444",
    "uniform": "#999999",
    "random": "#bbaa33",
    "attention": "#4477aa",
    "attention of all words": "#99aadd",
    "start": "#ee6677",
    "qtsplus": "#1b7f5c",
    "without re-encoder": "#66ccee",
    "official Gumbel gate": "#aa3377",
}  # rows that are drawn
EVERYTHING = "all tokens"
Answered = dict[tuple[int, int], float]  # (video, question) -> share of seeds that are right


class Bench:
    """Holds a language model, the videos of one length and split, and what was answered before (kept on disk)."""

    def __init__(self, chosen: dict[str, str], split: str, frames: int, model: Path | None = None) -> None:
        words = [f"backbone={chosen['backbone']}", "preset=flexselect"]
        cfg = compose_root([*words, f"backbone.adapter.checkpoint={model}"] if model else words)
        self.backbone: Any = build(cfg.backbone.adapter, Backbone, "backbone.adapter")  # type: ignore[type-abstract]
        assert isinstance(self.backbone, DecoderBackbone)
        training = compose("train", [f"backbone={chosen['backbone']}", "recipe=qtsplus"])
        self.recipe = build(training.recipe, QTSplusRecipe, "recipe").selector(0)
        self.prompt = prompt_template(cfg)
        self.scorers = {
            name: build(compose_root([*words, *more]).scorer, TokenScorer, "scorer")  # type: ignore[type-abstract]
            for name, more in ATTENTION.items()
        }
        kind = {"split": split, "opacity": OPACITY.get(split, 1.0), "videos": int(chosen["videos"])}
        self.settings = NeedleSettings(
            [kind], frames, int(chosen["questions"]), 8, 0.05, 0.25, 0.05, int(chosen["seed"])
        )
        cache = Path("~/.cache/tokensieve/features").expanduser()
        self.features = NeedleFeatures(self.settings, self.backbone.model, cache)
        self.folder = Path(chosen["folder"]) / "answers" / f"{split}-{frames}-{chosen['videos']}-{chosen['seed']}"

    def ask(self, name: str, pick: Callable[[], Pick], count: int, positions: str = "kept") -> list[dict[str, Any]]:
        """Asks every question from `count` tokens and returns one row per answer.

        Answers come from disk where the same was asked before.
        """
        file = self.folder / f"{name.replace(' ', '_')}-{count}.json"
        if not file.exists():
            rows = table(self.backbone, self.prompt, self.features, pick(), [count], positions)
            self.folder.mkdir(parents=True, exist_ok=True)
            whole(file, json.dumps(rows))
        found: list[dict[str, Any]] = json.loads(file.read_text())
        return found


Way = tuple[str, Callable[[], Pick]]  # a name, and what makes the way to choose


def ways(bench: Bench, selectors: dict[str, list[Path]]) -> dict[str, list[Way]]:
    """Returns the ways to choose of every row, by name: one for each of its seeds."""
    backbone, width = bench.backbone, bench.backbone.decoder.config.hidden_size

    def weights(make: Callable[[], Selector]) -> Callable[[], Pick]:
        return cache(lambda: by_weights(make(), backbone))

    def loaded(path: Path) -> Callable[[], Pick]:
        return weights(lambda: checkpoint.load(path)[0])

    rows: dict[str, list[Way]] = {
        "oracle": [("oracle", lambda: oracle)],
        "uniform": [("uniform", lambda: uniform)],
        "random": [("random", lambda: random)],
        "random weights": [("random weights", weights(lambda: source.random(0, width)))],
        "start": [("start", weights(lambda: build_selector(bench.recipe, backbone)))],
    }
    for name, scorer in bench.scorers.items():
        rows[name] = [(name, cache(partial(by_scorer, scorer, backbone, bench.prompt)))]
    for name, paths in selectors.items():
        rows[name] = [(f"{name}-{number}", loaded(path)) for number, path in enumerate(paths)]
    return rows


def right(seeds: Sequence[Sequence[dict[str, Any]]], questions: int) -> Answered:
    """Returns for every (video, question) the share of seeds that were right."""
    numbered = [{divmod(row["question"], questions): float(row["right"]) for row in rows} for rows in seeds]
    return {key: float(np.mean([one[key] for one in numbered])) for key in numbered[0]}


def measure(
    bench: Bench, selectors: dict[str, list[Path]], counts: Sequence[int], split: str, frames: int
) -> list[dict[str, Any]]:
    """Returns one row per number kept and way to choose.

    A row has accuracy, and paired differences for learned rows and attention.
    """
    questions = bench.settings.questions
    everything = right([bench.ask(EVERYTHING, lambda: uniform, bench.features.tokens)], questions)
    asked = [bench.ask("oracle", lambda: oracle, count) for count in counts]
    if max(float(np.mean([row["right"] for row in found])) for found in asked) < SPLITS[split] + TESTABLE:
        selectors = {}  # the language model cannot answer whatever is kept: no selector's fault
    choices, rows = ways(bench, selectors), []
    for count in counts:
        answered = {EVERYTHING: everything}
        for name, seeds in choices.items():
            answered[name] = right([bench.ask(one, pick, count) for one, pick in seeds], questions)
        best = float(np.mean(list(answered["oracle"].values())))
        note = "limited by the LLM" if best < LIMITED else None
        note = "not testable" if best < SPLITS[split] + TESTABLE else note
        for name, mine in answered.items():
            videos, values = [str(video) for video, _ in mine], list(mine.values())
            accuracy = mean_interval(values, videos)
            row = {"split": split, "frames": frames, "kept": count, "run": name, "seeds": len(choices.get(name, [0]))}
            row |= {"questions": len(mine), "videos": len(set(videos)), "note": note}
            row |= {"accuracy": accuracy.value, "low": accuracy.low, "high": accuracy.high}
            for other in AGAINST:
                compare = name != other and (name in selectors or (name in ATTENTION and other in BLIND))
                theirs = answered.get(other) if compare else None
                against = difference_interval(values, [theirs[key] for key in mine], videos) if theirs else None
                row |= {f"minus_{other}": against.value if against else None}
                row |= {f"minus_{other}_low": against.low if against else None}
                row |= {f"minus_{other}_high": against.high if against else None}
            rows.append(row)
    return rows


def ratios(bench: Bench, path: Path, split: str, frames: int) -> dict[str, Any]:
    """Returns one row about what a learned ratio makes of the questions.

    It has the tokens kept at inference, whether they are as many under the gate of training, and accuracy.
    """
    selector, most = checkpoint.load(path)[0], checkpoint.read(path).n_max
    asked = {
        gate: bench.ask(f"learned ratio {gate}", lambda gate=gate: by_ratio(selector, most, bench.backbone, gate), 0)  # type: ignore[misc]
        for gate in ("hard", "straight_through")
    }
    kept, trained_on = (np.array([row["n"] for row in rows]) for rows in asked.values())
    mine = right([asked["hard"]], bench.settings.questions)
    accuracy = mean_interval(list(mine.values()), [str(video) for video, _ in mine])
    tokens = bench.features.tokens
    return {
        "split": split,
        "frames": frames,
        "tokens": tokens,
        "questions": len(kept),
        "ratio": float(kept.mean() / tokens),
        "fewest": int(kept.min()),
        "mean": float(kept.mean()),
        "most": int(kept.max()),
        "same_in_training": float((kept == trained_on).mean()),
        "accuracy": accuracy.value,
        "low": accuracy.low,
        "high": accuracy.high,
    }


def draw(rows: Sequence[Row]) -> Figure:
    """Draws accuracy over the number kept, one panel per split."""
    splits = list(dict.fromkeys(row["split"] for row in rows))
    columns = min(3, len(splits))
    lines = -(-len(splits) // columns)
    figure = Figure(figsize=(3.9 * columns, 3.3 * lines + 0.5), dpi=72, layout="constrained")
    panels = figure.subplots(lines, columns, sharey=True, squeeze=False).reshape(-1)
    for axes in panels[len(splits) :]:
        axes.set_visible(False)
    for axes, split in zip(panels, splits, strict=False):
        for name, colour in COLOURS.items():
            here = [row for row in rows if (row["split"], row["run"]) == (split, name)]
            kept, middle, low, high = ([row[key] for row in here] for key in ("kept", "accuracy", "low", "high"))
            axes.plot(kept, middle, color=colour, marker="o", markersize=3, label=name)
            axes.fill_between(kept, low, high, color=colour, alpha=0.1, linewidth=0)
        chance_line(axes, SPLITS[split])
        doubling(axes, sorted({row["kept"] for row in rows}))
        axes.tick_params(axis="x", labelsize=7, rotation=45)
        axes.set(title=split, xlabel="tokens kept of 512", ylim=(0, 1.03))
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles[:-1], labels[:-1], loc="outside lower center", ncols=4, fontsize=8)
    return figure


def accuracy_table(rows: Sequence[Row], split: str) -> str:
    """Returns a Markdown table of the accuracy of every row at every number kept."""
    here = [row for row in rows if row["split"] == split]
    kept, names = sorted({row["kept"] for row in here}), list(dict.fromkeys(row["run"] for row in here))
    cell = {(row["run"], row["kept"]): row for row in here}
    head = ["", *(f"{count} ({cell[names[0], count]['note'] or 'counts'})" for count in kept)]
    return markdown(head, [[name, *(interval(cell[name, count]) for count in kept)] for name in names])


def difference_table(rows: Sequence[Row], kept: int) -> str:
    """Returns a Markdown table of paired differences at one number kept."""
    here = [row for row in rows if row["kept"] == kept and row["minus_uniform"] is not None]
    head = ["split", "row", *(f"minus {other}" for other in AGAINST)]
    return markdown(head, [[r["split"], r["run"], *(interval(r, f"minus_{o}") for o in AGAINST)] for r in here])


def length_table(rows: Sequence[Row]) -> str:
    """Returns a Markdown table of accuracy at other lengths, with a tenth of the tokens kept."""
    settings = list(dict.fromkeys((row["split"], row["frames"], row["kept"]) for row in rows))
    cell = {(row["run"], row["split"], row["frames"]): row for row in rows}
    head = ["", *(f"{split}, {frames:,} frames, {kept} kept" for split, frames, kept in settings)]
    names = list(dict.fromkeys(row["run"] for row in rows))
    return markdown(head, [[name, *(interval(cell[name, s, f]) for s, f, _ in settings)] for name in names])


def ratio_table(rows: Sequence[Row]) -> str:
    """Returns a Markdown table of what the learned ratio keeps."""
    head = ["split", "frames", "tokens", "mean ratio", "kept: fewest, mean, most", "same count in training", "accuracy"]
    body = [
        [
            row["split"],
            f"{row['frames']:,}",
            f"{row['tokens']:,}",
            f"{row['ratio']:.3f}",
            f"{row['fewest']}, {row['mean']:.1f}, {row['most']}",
            f"{row['same_in_training']:.0%}",
            interval(row),
        ]
        for row in rows
    ]
    return markdown(head, body)


def main(given: list[str]) -> None:
    """Trains what is missing, measures, writes the numbers, draws them and prints the tables."""
    chosen = arguments(given, DEFAULTS, __doc__, MEANINGS)
    folder, results = Path(chosen["folder"]), Path(chosen["results"])
    selectors = {
        name: [train(folder, name, arm, seed, chosen["backbone"], chosen["words"]) for seed in arm.seeds]
        for name, arm in ARMS.items()
        if name in chosen["arms"].split(";")
    }
    learned = selectors.pop(RATIO, [])
    rows, lengths, learned_rows = [], [], []
    with composing():
        for split in chosen["splits"].split(","):
            bench = Bench(chosen, split, FRAMES)
            rows += measure(bench, selectors, numbers(chosen["kept"]), split, FRAMES)
            learned_rows += [ratios(bench, path, split, FRAMES) for path in learned]
        for split in LENGTH_SPLITS:
            for frames in LENGTHS:
                bench = Bench(chosen, split, frames)
                lengths += measure(bench, selectors, [-(-bench.features.tokens // 10)], split, frames)
                learned_rows += [ratios(bench, path, split, frames) for path in learned]
    for suffix, table_rows in (("", rows), ("_lengths", lengths), ("_ratio", learned_rows)):
        if table_rows:
            write(results / f"{NAME}{suffix}.csv", table_rows)
    rows, lengths = (read(results / f"{NAME}{part}.csv") for part in ("", "_lengths"))
    save(draw(rows), results / f"{NAME}.png")
    for split in chosen["splits"].split(","):
        print(f"### {split}\n\n{accuracy_table(rows, split)}\n")
    for kept in (count for count in (6, 52) if count in numbers(chosen["kept"])):
        print(f"### {kept} kept\n\n{difference_table(rows, kept)}\n")
    print(f"### lengths\n\n{length_table(lengths)}\n")
    if learned_rows:
        print(f"### ratio\n\n{ratio_table(read(results / f'{NAME}_ratio.csv'))}")


if __name__ == "__main__":
    main(sys.argv[1:])
