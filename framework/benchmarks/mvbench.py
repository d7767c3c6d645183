"""MVBench: twenty tasks of one temporal skill each, on short clips of eleven sources.

Prompts and scores are those of lmms-eval 0.7.3. A file of annotations does not say which task it belongs to: its name
or its folder's does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from framework.benchmarks.annotated import Annotated, by_label
from framework.benchmarks.base import Result, Strata
from framework.benchmarks.tables import Row, number_rows, read_rows
from framework.core.errors import UsageError
from framework.core.types import Question

FOLDERS = {  # task -> folder of its videos
    "action_antonym": "ssv2_video_mp4",
    "action_count": "perception/videos",
    "action_localization": "sta/sta_video_segment",
    "action_prediction": "star/Charades_segment",
    "action_sequence": "star/Charades_segment",
    "character_order": "perception/videos",
    "counterfactual_inference": "clevrer/video_validation",
    "egocentric_navigation": "vlnqa",
    "episodic_reasoning": "tvqa/video_fps3_hq_segment",
    "fine_grained_action": "Moments_in_Time_Raw/videos",
    "fine_grained_pose": "nturgbd_convert",
    "moving_attribute": "clevrer/video_validation",
    "moving_count": "clevrer/video_validation",
    "moving_direction": "clevrer/video_validation",
    "object_existence": "clevrer/video_validation",
    "object_interaction": "star/Charades_segment",
    "object_shuffle": "perception/videos",
    "scene_transition": "scene_qa/video",
    "state_change": "perception/videos",
    "unexpected_action": "FunQA_test/test",
}
MARKS = tuple(';/[]"{}()=+\\_-><@`,?!')
PERIODS = 32  # so many are dropped at most
_LETTERED = re.compile(r"([A-E])\.\s*.+$", re.IGNORECASE)
_LETTER = re.compile(r"\b[A-E]\b", re.IGNORECASE)


@dataclass(kw_only=True)
class MVBench(Annotated):
    """Asks all tasks under `root`, or one of them with only: {task: NAME}; `post_prompt` follows the options."""

    annotations = ("json/*.json", "*/*.parquet", "data/*/*.parquet", "*.parquet", "*.json")
    videos_under = ("", "video", "data0613")

    post_prompt: str
    max_new_tokens: int

    def rows(self) -> list[Row]:
        """Reads the rows of all tasks, each with its `task`. Raises UsageError where no file is called after a task."""
        tasks = {path: _task(path) for path in self.files()}
        if not any(tasks.values()):
            raise UsageError(
                f"benchmark.root={self.root}: no file of annotations is called after a task of {self.name}; "
                f"expected json/TASK.json or TASK/train-*.parquet, with TASK one of {', '.join(FOLDERS)}"
            )
        found = [{**row, "task": task} for path, task in tasks.items() if task for row in read_rows(path)]
        return number_rows(found, "task")

    def questions(self, rows: Iterable[Row]) -> list[Question]:
        """Returns one question per row, in order."""
        return [self.question(row) for row in number_rows(rows, "task")]

    def question(self, row: Row) -> Question:
        """Returns the question of one row: its text, the lettered candidates and the post prompt.

        Some rows have one candidate only, which is no choice: their questions have no options.
        """
        candidates = tuple(row["candidates"])
        options = "".join(f"({chr(ord('A') + i)}) {text}\n" for i, text in enumerate(candidates))
        return Question(
            id=f"{row.get('task', self.name)}-{row['_number']}",
            prompt=f"Question:{row['question']}\nOption:\n{options}{self.post_prompt}",
            bare=row["question"].strip(),
            options=candidates if len(candidates) > 1 else (),
            max_new_tokens=self.max_new_tokens,
        )

    def read(self, response: str, row: Row) -> tuple[float, str | None]:
        """Returns (1 or 0, the first letter that stands alone, or None); see `lone_letter`.

        The article "a" counts as such a letter.
        """
        said = lone_letter(response)
        return float(said == self.right(row)), said

    def right(self, row: Row) -> str:
        """Returns the letter of the first candidate that is the answer. Raises ValueError where none is."""
        if row["answer"] not in row["candidates"]:
            raise ValueError(f"answer {row['answer']!r} is none of the candidates {row['candidates']}")
        return chr(ord("A") + row["candidates"].index(row["answer"]))

    def video_names(self, row: Row) -> tuple[str, ...]:
        """Returns the name as the file has it, and as mp4, because some sources were converted."""
        name = PurePosixPath(FOLDERS[row["task"]]) / row["video"]
        return tuple(dict.fromkeys(map(str, (name, name.with_suffix(".mp4"), name.with_name(f"{name.name}.mp4")))))

    def strata(self, row: Row) -> Strata:
        """Returns the task, where the row knows it."""
        return {"task": (row["task"],)} if "task" in row else {}

    def aggregate(self, results: Sequence[Result]) -> dict[str, float]:
        """Returns <task>_accuracy, 0 to 100, and mvbench_accuracy: their mean over the tasks that were asked."""
        if not results:
            return {}
        tasks = {task: _answered(part) for task, part in by_label(results, "task").items()}
        mean = sum(tasks.values()) / len(tasks) if tasks else _answered(results)
        return {"mvbench_accuracy": mean} | {f"{task}_accuracy": value for task, value in tasks.items()}


def _answered(results: Sequence[Result]) -> float:
    """Percentage of right ones among the responses that are not empty; 0 when all are."""
    said = [result.correct for result in results if result.response]
    return 100 * sum(said) / len(said) if said else 0.0


def _task(path: Path) -> str | None:
    """The task that file or folder is called after: json/action_count.json, action_count/train-0.parquet."""
    return next((task for task in FOLDERS if path.stem.startswith(task) or path.parent.name == task), None)


def lone_letter(response: str) -> str | None:
    """Reads a letter from A to E in either case, or returns None.

    It is the letter before a period at the start, or else the first that stands alone once marks are gone.
    """
    text = response.strip()
    if start := _LETTERED.match(text):
        return start.group(1).upper()
    text = text.replace("\n", " ").replace("\t", " ").strip()
    number = re.search(r"\d,\d", text)
    spaced = text
    for mark in MARKS:
        alone = f"{mark} " in text or f" {mark}" in text or number
        spaced = spaced.replace(mark, "" if alone else " ")
    plain = re.sub(r"\.(?!\d)", "", spaced, count=PERIODS).lower()
    found = _LETTER.search(plain)
    return found.group().upper() if found else None
