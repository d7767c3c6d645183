"""A pipeline over a benchmark: answer, write down, go on where the last run stopped. Knows no terminal."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from framework.benchmarks.base import Benchmark, VideoItem
from framework.evaluation.journal import Journal, shown
from framework.evaluation.metrics import question_line, summarise, timing_line
from framework.pipeline import Pipeline
from framework.tracking import Tracker

Watcher = Callable[[int, list[dict[str, Any]]], None]  # videos done, all question lines so far


@dataclass(frozen=True)
class Runner:
    """One run: its folder holds questions.jsonl, timings.jsonl and, at the end, summary.json."""

    pipeline: Pipeline
    benchmark: Benchmark
    folder: Path
    tracker: Tracker

    def run(self, watch: Watcher | None = None) -> dict[str, Any]:
        """Answer what is not answered yet; the summary of everything in the folder."""
        questions, timings = Journal(self.folder / "questions.jsonl"), Journal(self.folder / "timings.jsonl")
        for done, video in enumerate(self.benchmark, start=1):
            self._video(video, questions, timings)
            if watch is not None:
                watch(done, questions.lines)
        summary = shown(summarise(questions.lines, timings.lines))
        (self.folder / "summary.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
        self.tracker.finish(summary)
        return summary

    def _video(self, video: VideoItem, questions: Journal, timings: Journal) -> None:
        """The open questions of one video; the timing is written first, so that no answer is without one."""
        answered = questions.ids
        todo = [item for item in video.items if item.question.id not in answered]
        if not todo:
            return
        timed = timings.ids
        for item, outcome in zip(todo, self.pipeline.answer(video.path, [i.question for i in todo]), strict=True):
            if item.question.id not in timed:
                timings.append(timing_line(item, outcome))
            questions.append(question_line(video.id, item, outcome, self.benchmark.score(item, outcome.answer)))
        right = sum(line["correct"] for line in questions.lines)
        self.tracker.log({"accuracy": right / len(questions.lines), "questions": len(questions.lines)})
