"""A pipeline over a benchmark: answer, write down, go on where the last run stopped. Knows no terminal.

Videos are dealt out between the processes of the world, so that the questions of one video stay together. A video of
which some question is still open is looked at with all its questions again, and only what is missing is written: so the
same lines come out whenever a run was interrupted.
"""

from __future__ import annotations

import gc
import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from framework.benchmarks.base import Benchmark, Item, VideoItem
from framework.build import ConfigError
from framework.errors import UsageError
from framework.evaluation.journal import shown
from framework.evaluation.metrics import prompt_hash, question_line, summarise, timing_line
from framework.evaluation.results import Results, gather
from framework.evaluation.world import World
from framework.outcome import Outcome
from framework.pipeline import Pipeline
from framework.trackers import Tracker
from framework.tracking import whole
from framework.video.errors import VideoError

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Status:
    """How far a run is."""

    videos: int  # done by this process
    of: int  # videos that are this process's
    lines: list[dict[str, Any]]  # of questions.jsonl, of all processes, of earlier runs too
    answered: int  # questions answered by this process since it began
    failed: int  # questions of this process
    seconds: float  # since it began


Watcher = Callable[[Status], None]


@dataclass(frozen=True)
class Runner:
    """One run: its folder holds questions.jsonl, timings.jsonl, failures.jsonl and, at the end, summary.json."""

    pipeline: Pipeline
    benchmark: Benchmark
    folder: Path
    tracker: Tracker
    world: World = World()  # noqa: RUF009 a frozen value
    settled: Callable[[VideoItem], bool] = lambda video: True  # whether all that a video leaves beside lines is there

    def run(self, watch: Watcher | None = None) -> dict[str, Any]:
        """Answer what is not answered yet; the summary of everything in the folder, the same in every process."""
        if self.world.first:
            gather(self.folder)
        self.world.barrier()
        results = Results(self.folder, self.world)
        start, before = time.perf_counter(), len(results.questions.lines)
        mine = range(self.world.rank, len(self.benchmark), self.world.size)
        for done, index in enumerate(mine, start=1):
            self._video(self.benchmark[index], results)
            status = Status(
                videos=done,
                of=len(mine),
                lines=results.everyone(),
                answered=len(results.questions.lines) - before,
                failed=len(set(results.failed) - set(results.answered)),
                seconds=time.perf_counter() - start,
            )
            if self.world.first and status.lines:
                self.tracker.log(_running(status))
            if watch is not None:
                watch(status)
        self.world.barrier()
        if self.world.first:
            self._conclude()
        self.world.barrier()
        return json.loads((self.folder / "summary.json").read_text(encoding="utf-8"))

    def _conclude(self) -> None:
        gather(self.folder)
        results = Results(self.folder, World())
        lines, known = results.questions.lines, results.answered
        failures = [line for line in results.failures.lines if line["id"] not in known]
        summary = shown(summarise(self.benchmark, lines, results.timings.lines, failures))
        whole(self.folder / "summary.json", json.dumps(summary, indent=1) + "\n")
        self.tracker.finish(summary, lines)

    def _video(self, video: VideoItem, results: Results) -> None:
        """All questions of one video, written down where they are not yet."""
        for item in video.items:
            if results.answered.get(item.question.id, same := prompt_hash(item.question)) != same:
                raise UsageError(
                    f"question {item.question.id} was answered in other words before: the benchmark's files have "
                    f"changed since {self.folder} was begun; take another folder (key: hydra.run.dir) or remove it"
                )
        if self.settled(video) and all(item.question.id in results.answered for item in video.items):
            return
        for item, outcome in self._outcomes(video, video.items, results):
            scored = self.benchmark.score(item, outcome.answer)
            results.answer(question_line(video.id, item, outcome, scored), timing_line(item, outcome))

    def _outcomes(self, video: VideoItem, items: Sequence[Item], results: Results) -> list[tuple[Item, Outcome]]:
        """The outcomes of what can be answered: together, or one by one when together fails."""
        try:
            return list(zip(items, self._answer(video.path, items), strict=True))
        except (UsageError, ConfigError) as error:
            if not isinstance(error, VideoError):
                raise  # a wrong setting would fail everywhere
            failure: Exception = error
        except Exception as error:  # whatever one video or question does must not end the others
            failure = error
        if len(items) > 1 and not isinstance(failure, VideoError):
            _log.info("%s: %s: %s; its questions are tried one by one", video.id, type(failure).__name__, failure)
            return [pair for item in items for pair in self._outcomes(video, [item], results)]
        _log.warning("%s: %s: %s", video.id, type(failure).__name__, failure, exc_info=_log.isEnabledFor(logging.DEBUG))
        for item in items:
            results.fail(item.question.id, video.id, f"{type(failure).__name__}: {failure}")
        return []

    def _answer(self, path: str, items: Sequence[Item]) -> list[Outcome]:
        """The pipeline's outcomes; out of memory, with smaller passes."""
        while True:
            try:
                return self.pipeline.answer(path, [item.question for item in items])
            except torch.OutOfMemoryError:
                gc.collect()
                torch.cuda.empty_cache()
                if not self.pipeline.backbone.lighten():
                    raise
                _log.warning("out of memory: trying again with smaller passes (key: backbone.adapter)")


def _running(status: Status) -> dict[str, float]:
    """Running figures for a tracker."""
    lines = status.lines
    return {
        "accuracy": sum(line["correct"] for line in lines) / len(lines),
        "questions": len(lines),
        "groups_visited_share": sum(line["groups_visited"] / line["groups_total"] for line in lines) / len(lines),
        "failed": status.failed,
        **({"seconds_per_question": status.seconds / status.answered} if status.answered else {}),
    }
