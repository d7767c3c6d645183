"""A pipeline over a benchmark: answer, write down, go on where the last run stopped.

Videos are dealt out between the processes of the world, so that the questions of one video stay together. A video of
which some question is still open is looked at with all its questions again, and only what is missing is written: so the
same lines come out whenever a run was interrupted.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from framework.benchmarks.base import Benchmark, VideoItem
from framework.config.identity import whole
from framework.engine.pipeline import Pipeline
from framework.evaluation.attempt import attempt
from framework.evaluation.distributed import World
from framework.evaluation.freshness import Asked, Source, asked_now, refresh, video_file
from framework.evaluation.journal import jsonable
from framework.evaluation.metrics import question_line, summarise, timing_line
from framework.evaluation.results import Results, gather
from framework.trackers import Tracker

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Status:
    """Says how far a run is."""

    videos: int  # done by this process
    of: int  # videos that are this process's
    lines: list[dict[str, Any]]  # of questions.jsonl, of all processes, of earlier runs too
    answered: int  # questions answered by this process since it began
    failed: int  # questions of this process
    seconds: float  # since it began


Watcher = Callable[[Status], None]


@dataclass(frozen=True)
class Runner:
    """Runs a pipeline over a benchmark and writes what came out into a folder.

    The folder holds questions.jsonl, timings.jsonl, failures.jsonl, sources.jsonl and, at the end, summary.json.
    Whoever runs it holds the folder's lock.
    """

    pipeline: Pipeline
    benchmark: Benchmark
    folder: Path
    tracker: Tracker
    world: World = World()  # noqa: RUF009 a frozen value
    settled: Callable[[VideoItem], bool] = lambda video: True  # whether all that a video leaves beside lines is there
    source: Callable[[VideoItem], Source] = video_file  # what the answers about a video come from
    announce: Callable[[str], None] = lambda path: None  # told which video comes next, before this one is looked at

    def run(self, watch: Watcher | None = None) -> dict[str, Any]:
        """Answers what is not answered yet.

        Returns the summary of everything in the folder, the same in every process. Raises UsageError where a question
        was answered in other words before.
        """
        asked = asked_now(self.benchmark)
        if self.world.first:
            gather(self.folder)
            refresh(self.folder, self.benchmark, asked, self.source)
        self.world.barrier()
        results = Results(self.folder, self.world)
        start, before = time.perf_counter(), len(results.questions.lines)
        mine = range(self.world.rank, len(self.benchmark), self.world.size)
        told = _standing(results, asked)
        for done, index in enumerate(mine, start=1):
            self._video(self.benchmark[index], results, mine[done:])
            status = Status(
                videos=done,
                of=len(mine),
                lines=_lines(results, asked),
                answered=len(results.questions.lines) - before,
                failed=_failed(results, asked),
                seconds=time.perf_counter() - start,
            )
            if self.world.first and status.lines and _standing(results, asked) != told:
                self.tracker.log(_running(status))  # never what it was told before: a finished run adds nothing
                told = _standing(results, asked)
            if watch is not None:
                watch(status)
        self.world.barrier()
        if self.world.first:
            self._conclude(asked)
        self.world.barrier()
        return json.loads((self.folder / "summary.json").read_text(encoding="utf-8"))

    def _next(self, later: Sequence[int], results: Results) -> str | None:
        """The path of the next video that has an open question; its file may not be there yet."""
        for index in later:
            try:
                video = self.benchmark.outline(index)
            except Exception:  # its own turn meets it again, and tells it
                return None
            if not _answered(video, results):
                return video.path
        return None

    def _conclude(self, asked: Asked) -> None:
        gather(self.folder)
        results = Results(self.folder, World())
        results.sort(list(asked))
        lines, failures, timings = (
            [line for line in journal.lines if line["id"] in asked]
            for journal in (results.questions, results.failures, results.timings)
        )
        failures = [line for line in failures if line["id"] not in results.answered]
        left_out = [line["id"] for line in results.questions.lines if line["id"] not in asked]
        summary = jsonable({**summarise(self.benchmark, lines, timings, failures), "left_out": left_out})
        whole(self.folder / "summary.json", json.dumps(summary, indent=1) + "\n")
        self.tracker.finish(summary, lines)

    def _video(self, video: VideoItem, results: Results, later: Sequence[int]) -> None:
        """All questions of one video, written down where they are not yet. `later`: videos (indices) after it."""
        if self.settled(video) and _answered(video, results):
            return
        if (coming := self._next(later, results)) is not None:
            self.announce(coming)
        before = None if video.id in results.known else self.source(video).line(video)
        found = attempt(self.pipeline, video.path, [item.question for item in video.items])
        for item, outcome in zip(video.items, found, strict=True):
            if isinstance(outcome, str):
                _log.warning("%s: %s", item.question.id, outcome)
                results.fail(item.question.id, video.id, outcome)
            else:
                if before is not None:
                    results.watch(before)
                scored = self.benchmark.score(item, outcome.answer)
                results.answer(question_line(video.id, item, outcome, scored), timing_line(item, outcome))


def _answered(video: VideoItem, results: Results) -> bool:
    return all(results.holds(item.question.id) for item in video.items)


def _lines(results: Results, asked: Asked) -> list[dict[str, Any]]:
    return [line for line in results.everyone() if line["id"] in asked]


def _failed(results: Results, asked: Asked) -> int:
    return len(results.failed.keys() & asked.keys() - results.answered)


def _standing(results: Results, asked: Asked) -> tuple[int, int]:
    """Questions answered, by all processes, and those that failed in this one."""
    return len(_lines(results, asked)), _failed(results, asked)


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
