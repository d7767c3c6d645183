"""MLVU: multiple choice over long videos, development (four options) and test (six).

Zhou et al., "MLVU" (2024); asked and scored as lmms-eval 0.7.3 does, other profiles by name. Its two open-ended tasks
need a judge and are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from math import fsum
from pathlib import PurePosixPath

from framework.benchmarks.annotated import by_label
from framework.benchmarks.base import Result, Strata
from framework.benchmarks.extraction import legacy_mlvu, letter
from framework.benchmarks.lettered import letter_options
from framework.benchmarks.multiple_choice import LETTERS, MultipleChoice, Profile, Rule, check_choice
from framework.benchmarks.tables import Row

_BEST = "{question}\nOnly give the best option.\nBest option: ("
_FLEXSELECT = "{question}\nAnswer with the best option's letter from the given choices directly.\nBest option: ("
_OFFICIAL = "Question: {stem}\nOptions:\n{options}\nOnly give the best option."

TASK_TYPES = {
    "dev": ("anomaly_reco", "count", "ego", "needle", "order", "plotQA", "topic_reasoning"),
    "test": (
        *("anomaly_reco", "count", "ego", "needleQA", "order", "plotQA", "sportsQA", "topic_reasoning", "tutorialQA"),
    ),
}
_ANNOTATIONS = {
    "dev": ("mlvu/test-*.parquet", "test-*.parquet", "**/*MLVU_dev/**/test-*.parquet", "**/json/[1-7]_*.json"),
    "test": ("mlvu/test-*.parquet", "test-*.parquet", "**/*MLVU_Test/**/test-*.parquet", "**/test*.json"),
}
_FOLDERS = ("1_plotQA", "2_needle", "3_ego", "4_count", "5_order", "6_anomaly_reco", "7_topic_reasoning")
_PROFILES = {
    "dev": {
        "lmms_eval_0_7_3": Profile(_BEST, 16),
        "plm": Profile("{question}\nOnly give the best option.", 16),
        "official": Profile(_OFFICIAL, 16, "legacy", cue="Best Option: ("),
        "flexselect": Profile(_FLEXSELECT, 16, "legacy"),
    },
    "test": {
        "lmms_eval_0_7_3": Profile("{question}", 16),  # upstream forgot the instruction here
        "fixed_test_prompt": Profile(_BEST, 16),
        "official": Profile(_OFFICIAL, 16, "legacy", cue="Best Option: ("),
        "flexselect": Profile(_FLEXSELECT, 1, "legacy"),
    },
}
_RULES: dict[str, Rule] = {"current": lambda text, _: letter(text), "legacy": lambda text, _: legacy_mlvu(text)}


@dataclass(kw_only=True)
class MLVU(MultipleChoice):
    """Asks the questions of MLVU's `split`: dev or test.

    Also on test, `current` reads A to D only, so that E and F are never right.
    """

    rules = _RULES

    split: str

    def __post_init__(self) -> None:
        check_choice("split", self.split, TASK_TYPES)  # first: the profiles depend on it
        super().__post_init__()

    @property
    def profiles(self) -> Mapping[str, Profile]:
        """Names the known ways to ask questions of the split."""
        return _PROFILES[self.split]

    @property
    def annotations(self) -> tuple[str, ...]:
        """Names the annotation files of the split."""
        return _ANNOTATIONS[self.split]

    @property
    def videos_under(self) -> tuple[str, ...]:
        """Names the folders under root where videos may lie: those of the Hub's cache and of the authors."""
        dev = self.split == "dev"
        folders = ("", "video", *(f"video/{folder}" for folder in _FOLDERS if dev))
        cache = "mlvu" if dev else "mlvu_test"
        return (cache, *folders, *(f"MLVU/{folder}" for folder in folders if folder), "test_video")

    def identity(self, row: Row) -> str:
        """Returns task, video and number.

        Where the file has no number, some digits of the question's hash take its place.
        """
        number = row.get("question_id") or sha256(_whole(row).encode()).hexdigest()[:8]
        return f"{self._task(row)}/{PurePosixPath(self.video_names(row)[0]).stem}/{number}"

    def stem(self, row: Row) -> str:
        """Returns what stands before the options."""
        return letter_options(_whole(row))[0]

    def options(self, row: Row) -> tuple[str, ...]:
        """Returns the texts of the options, from `candidates` or from the lines of the question."""
        return tuple(row.get("candidates") or letter_options(row["question"])[1])

    def prompt(self, row: Row) -> str:
        """Returns the exact user text. The published question holds its options."""
        options = _lines(self.options(row)).rstrip("\n")
        return self.template.format(question=_whole(row), stem=self.stem(row), options=options)

    def right(self, row: Row) -> str:
        """Returns the right letter. Raises ValueError where the answer is none of the options.

        The parquet files hold a letter, the authors' json files the text of an option.
        """
        answer, options = row["answer"], self.options(row)
        if "task_type" not in row and answer in options:
            return LETTERS[options.index(answer)]
        if answer not in LETTERS[: len(options) or 6]:
            raise ValueError(f"answer={answer!r} is none of the options {options}")
        return answer

    def video_names(self, row: Row) -> tuple[str, ...]:
        """Returns the name that the annotations have."""
        return (row["video_name"] if "video_name" in row else row["video"],)

    def strata(self, row: Row) -> Strata:
        """Returns the task. Raises ValueError for a task that is not of the split."""
        return {"task_type": (self._task(row),)}

    def aggregate(self, results: Sequence[Result]) -> dict[str, float]:
        """Returns M-Avg: the unweighted mean over all tasks of the percent right. A task without questions counts 0."""
        if not results:
            return {}
        parts = by_label(results, "task_type").values()
        each = [100 * sum(result.correct for result in part) / len(part) for part in parts]
        return {"mlvu_percetion_score": fsum(each) / len(TASK_TYPES[self.split])}  # upstream's spelling

    def _task(self, row: Row) -> str:
        task = row["task_type"] if "task_type" in row else row["question_type"]
        task = "needle" if task == "findNeedle" else task
        if task not in TASK_TYPES[self.split]:
            raise ValueError(f"task type {task!r}; M-Avg of {self.split} is over {', '.join(TASK_TYPES[self.split])}")
        return task


def _whole(row: Row) -> str:
    """The question with its options; the authors' json files, without `task_type`, keep them apart."""
    question = row["question"]
    apart = "task_type" not in row and "\n(A)" not in question
    return f"{question}\n{_lines(tuple(row['candidates']))}" if apart else question


def _lines(options: tuple[str, ...]) -> str:
    return "".join(f"({letter}) {option}\n" for letter, option in zip(LETTERS, options, strict=False))
