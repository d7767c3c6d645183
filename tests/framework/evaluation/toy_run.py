"""A made evaluation that needs no model and no video: python toy_run.py FOLDER [seconds per video]

The answers are a pure function of the question, so every run of it must end with the same lines.
"""

from __future__ import annotations

import sys
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from framework.benchmarks.base import Absent, Benchmark, Item, VideoItem
from framework.core.outcome import Cost, GroupTrace, Outcome, Trace
from framework.core.types import Answer, Question
from framework.evaluation.distributed import World, join
from framework.evaluation.runner import Runner
from framework.trackers import NoTracker

VIDEOS, QUESTIONS = 9, 3


class ToyBenchmark(Benchmark):
    name = "toy"

    def __len__(self) -> int:
        return VIDEOS

    def __getitem__(self, index: int) -> VideoItem:
        if index >= VIDEOS:
            raise IndexError(index)
        names = [f"{index}-{place}" for place in range(QUESTIONS)]
        asked = [
            Question(name, f"what is {name} ?\nA red\nB blue", f"what is {name} ?", ("red", "blue")) for name in names
        ]
        return VideoItem(f"video {index}", f"{index}.mp4", tuple(Item(q, "A", {"place": (q.id[-1],)}) for q in asked))

    @property
    def absent(self) -> Absent:
        return Absent({"video 99": 3})


class ToyBackbone:
    lighter = 0

    def lighten(self) -> bool:
        self.lighter += 1
        return self.lighter <= 2


@dataclass
class ToyPipeline:
    seconds: float = 0.0
    fails: Callable[[list[str]], Exception | None] = lambda names: None
    backbone: ToyBackbone = field(default_factory=ToyBackbone)
    calls: list[list[str]] = field(default_factory=list)

    def answer(self, path: str, questions: Sequence[Question]) -> list[Outcome]:
        names = [question.id for question in questions]
        self.calls.append(names)
        time.sleep(self.seconds)
        if (error := self.fails(names)) is not None:
            raise error
        return [self.outcome(question) for question in questions]

    def lighten(self) -> bool:
        return self.backbone.lighten()

    def outcome(self, question: Question) -> Outcome:
        chance = (zlib.crc32(question.id.encode()) % 1000) / 1000
        groups = (
            GroupTrace(0, (0.0, 1.0), 0, -chance, chance, "nats", {"entropy": chance}, 0, 3, 3),
            GroupTrace(1, (2.0, 3.0), None),
        )
        trace = Trace(groups, {"probe": Cost(time.perf_counter() % 1, 1)}, 6, 12, 3, 4, 5)
        choice = int(chance < 0.5)
        return Outcome(question, Answer("AB"[choice], choice, (1 - chance, chance), chance), trace, None)


def runner(folder: Path, pipeline: ToyPipeline, world: World | None = None) -> Runner:
    return Runner(pipeline, ToyBenchmark(), folder, NoTracker(), world or World())  # type: ignore[arg-type]


if __name__ == "__main__":
    into = Path(sys.argv[1])
    into.mkdir(parents=True, exist_ok=True)
    runner(into, ToyPipeline(float(sys.argv[2])), join(1, 1, "cpu")).run()
