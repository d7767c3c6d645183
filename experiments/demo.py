"""Can evenly spaced frames answer what a long video shows for four seconds? Five questions, three presets, one table.

    make demo        or        python -m experiments.demo checkpoint=asset:lab

Renders one 4,096-frame video from a fixed seed, chosen before any result was seen. Writes into outputs/demo: the video,
demo.json with every outcome, demo.png with the first question as AdaptToken saw it.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table
from rich.text import Text

from experiments.common import arguments
from framework.benchmarks.base import Benchmark, Item, VideoItem
from framework.config.build import build
from framework.config.parts import build_pipeline
from framework.config.plugins import CONF, register
from framework.core.outcome import Outcome
from framework.core.types import Answer
from framework.engine.pipeline import Pipeline
from framework.evaluation.journal import jsonable
from framework.evaluation.metrics import best_group
from framework.report.console import console
from framework.report.data import outcome_data
from framework.report.picture import draw
from framework.report.shots import shots

SEED = 2026
FRAMES = 4096
PRESETS = ("uniform", "adapttoken", "adapttoken_agreement")
FOLDER = Path("outputs/demo")
DEFAULTS = {"checkpoint": "asset:lab"}
MEANINGS = {"checkpoint": "weights of the lab model: a folder or asset:NAME"}


def main(given: list[str]) -> None:
    """Renders the video, asks each preset five questions and compares the answers."""
    checkpoint = arguments(given, DEFAULTS, __doc__, MEANINGS)["checkpoint"]
    out = console()
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        configs = {preset: _config(preset, checkpoint) for preset in PRESETS}
    FOLDER.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    benchmark = build(configs[PRESETS[0]].benchmark, Benchmark, "benchmark")  # type: ignore[type-abstract]
    (video,) = benchmark
    out.print(f"{video.path}: {FRAMES} frames, ready after {time.perf_counter() - start:.1f} s", soft_wrap=True)
    outcomes: dict[str, list[Outcome]] = {}
    for preset, cfg in configs.items():
        pipeline = build_pipeline(cfg)
        outcomes[preset] = _answer(pipeline, video, preset)
    out.print(_questions(video, outcomes))
    out.print(_totals(video, outcomes))
    out.print(_seen(video, outcomes))
    _write(out, video, pipeline, outcomes)


def _config(preset: str, checkpoint: str) -> DictConfig:
    needle = ("videos=1", f"frames={FRAMES}", "questions=5", f"folder={FOLDER}")
    words = [f"preset={preset}", "benchmark=needle", *(f"benchmark.{word}" for word in needle), f"seed={SEED}"]
    return compose("config", [*words, f"backbone.adapter.checkpoint='{checkpoint}'"])


def _answer(pipeline: Pipeline, video: VideoItem, preset: str) -> list[Outcome]:
    """The outcomes of all questions; how far it is, on a terminal."""
    with console(stderr=True).status(preset) as status:

        def watch(stage: str, done: int, total: int) -> None:
            status.update(f"{preset}: {done} of {total} {stage}")

        return pipeline.answer(video.path, [item.question for item in video.items], watch)


def _right(video: VideoItem, outcomes: list[Outcome]) -> list[bool]:
    return [_is_right(item, outcome.answer) for item, outcome in zip(video.items, outcomes, strict=True)]


def _is_right(item: Item, answer: Answer) -> bool:
    assert answer.choice is not None
    return item.question.letters[answer.choice] == item.right


def _questions(video: VideoItem, outcomes: dict[str, list[Outcome]]) -> Table:
    """Every question, the right answer, and what each preset said, how certain."""
    table = Table(title="answers, with the probability of the chosen option", title_justify="left")
    for name in ("question", "shown for", "right", *outcomes):
        table.add_column(name)
    for place, item in enumerate(video.items):
        start, end = item.evidence[0]
        cells = []
        for found in outcomes.values():
            answer = found[place].answer
            assert answer.choice is not None
            mark, style = ("✓", "green") if _is_right(item, answer) else ("✗", "red")
            option = item.question.options[answer.choice]
            cells.append(Text.assemble((f"{mark} {option}", style), f" {max(answer.probabilities):.0%}"))
        when = f"{end - start:g} s at {start:.0f} s"
        table.add_row(item.question.bare, when, item.question.options[item.question.letters.index(item.right)], *cells)
    return table


def _totals(video: VideoItem, outcomes: dict[str, list[Outcome]]) -> Table:
    """What each preset looked at, kept and cost."""
    table = Table(title="per preset; means over the five questions", title_justify="left")
    for name in ("preset", "right", "certainty", "groups visited", "tokens seen", "tokens kept", "seconds, all five"):
        table.add_column(name, justify="left" if name == "preset" else "right")
    for preset, found in outcomes.items():
        count = len(found)
        certainty = sum(max(outcome.answer.probabilities) for outcome in found) / count
        visited = sum(outcome.trace.visited_share for outcome in found) / count
        groups = len(found[0].trace.groups)
        seen = sum(outcome.trace.tokens_seen for outcome in found) / count
        kept = sum(outcome.trace.tokens_kept for outcome in found) / count
        seconds = sum(cost.seconds for outcome in found for cost in outcome.trace.stages.values())
        numbers = (f"{visited:.0%} of {groups}", f"{seen:.0f}", f"{kept:.0f}", f"{seconds:.1f}")
        table.add_row(preset, f"{sum(_right(video, found))} of {count}", f"{certainty:.0%}", *numbers)
    return table


def _seen(video: VideoItem, outcomes: dict[str, list[Outcome]]) -> str:
    """One sentence, from the numbers."""
    right = {preset: sum(_right(video, found)) for preset, found in outcomes.items()}
    chance = sum(1 / len(item.question.options) for item in video.items)
    total = outcomes[PRESETS[0]][0].trace.tokens_total
    kept = max(outcome.trace.tokens_kept for found in outcomes.values() for outcome in found)
    parts = ", ".join(f"{preset} {count}" for preset, count in right.items())
    return (
        f"From at most {kept} of the video's {total} tokens, of {len(video.items)} questions right: {parts} "
        f"(guessing gives {chance:.2g}). One video shows how it works; how well it works needs many: `sieve eval`."
    )


def _write(out: Console, video: VideoItem, pipeline: Pipeline, outcomes: dict[str, list[Outcome]]) -> None:
    data = {preset: [outcome_data(outcome, video.path) for outcome in found] for preset, found in outcomes.items()}
    (FOLDER / "demo.json").write_text(json.dumps(jsonable(data), indent=1) + "\n", encoding="utf-8")
    first = outcomes["adapttoken"][0]
    best = best_group(first.trace.groups)
    draw(FOLDER / "demo.png", first, shots(pipeline, video.path, first, best), best)
    out.print(
        f"picture   {(FOLDER / 'demo.png').resolve()}\ndetails   {(FOLDER / 'demo.json').resolve()}", soft_wrap=True
    )


if __name__ == "__main__":
    main(sys.argv[1:])
