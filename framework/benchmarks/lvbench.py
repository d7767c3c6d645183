"""LVBench: four options about hour-long videos, each with the time that answers it.

Wang et al., "LVBench" (2024); asked and scored as lmms-eval 0.7.3 does, or as FlexSelect does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from framework.benchmarks.annotated import micro
from framework.benchmarks.base import Result, Strata
from framework.benchmarks.extraction import legacy_letter, letter
from framework.benchmarks.lettered import letter_options
from framework.benchmarks.multiple_choice import LETTERS, MultipleChoice, Profile, Rule, check_letter
from framework.benchmarks.tables import Row

_FLEXSELECT = (
    "Select the best answer to the following multiple-choice question based on the video. "
    "Respond with only the letter (A, B, C, or D) of the correct option.\n"
    "{question}\n\nAnswer with the option's letter from the given choices directly."
)
_PROFILES = {
    "lmms_eval_0_7_3": Profile("{question}\nAnswer the question with the option letter", 16),
    "flexselect": Profile(_FLEXSELECT, 1, "legacy"),
}
_RULES: dict[str, Rule] = {"current": lambda text, _: letter(text), "legacy": lambda text, _: legacy_letter(text)}


class LVBench(MultipleChoice):
    """Asks the questions of LVBench, one per row; the authors' file with one video per line is taken apart."""

    annotations = (
        *("data/train-*.parquet", "train-*.parquet", "video_info.meta.jsonl", "data/video_info.meta.jsonl"),
        *("test.jsonl", "data/test.jsonl", "*.jsonl", "**/*LVBench/**/train-*.parquet", "**/video_info.meta.jsonl"),
    )
    videos_under = ("", "data", "videos", "all_videos", "lvbench", "lvbench/data")
    profiles = _PROFILES
    rules = _RULES

    def rows(self) -> list[Row]:
        """Reads the annotation files and returns one row per question."""
        return flat(super().rows())

    def identity(self, row: Row) -> str:
        """Returns the published number of the question."""
        return str(row["uid"])

    def stem(self, row: Row) -> str:
        """Returns what stands before the options."""
        return self._as_asked(letter_options(_whole(row))[0])

    def options(self, row: Row) -> tuple[str, ...]:
        """Returns the texts of the options, from a field of their own or from the lines of the question."""
        return tuple(row.get("options") or letter_options(row["question"])[1])

    def prompt(self, row: Row) -> str:
        """Returns the exact user text. The question holds its options."""
        return self.template.format(question=self._as_asked(_whole(row)))

    def right(self, row: Row) -> str:
        """Returns the right letter. Raises ValueError unless it is one capital letter."""
        return check_letter(row["answer"])

    def video_names(self, row: Row) -> tuple[str, ...]:
        """Returns the names by path, by the id on YouTube, and by the number in the authors' file.

        A bulk download names the videos by number.
        """
        names = [row["video_path"]] if row.get("video_path") else []
        names += [f"{row['key']}.{suffix}" for suffix in ("mp4", "MP4", "mkv")]
        names += [f"{row['video_number']:08d}.mp4"] if "video_number" in row else []
        return tuple(dict.fromkeys(names))

    def strata(self, row: Row) -> Strata:
        """Returns the kind of video, and the kinds of question (one to three labels)."""
        asked = row["question_type"]
        labels = asked.strip("[]").split(",") if isinstance(asked, str) else asked
        return {"type": (str(row["type"]),), "question_type": tuple(label.strip(" '\"") for label in labels)}

    def evidence(self, row: Row) -> tuple[tuple[float, float], ...]:
        """Returns the published span, in seconds; nothing where it cannot be read."""
        match = re.fullmatch(r"\s*([\d:]+)\s*-\s*([\d:]+)\s*", str(row.get("time_reference") or ""))
        start, end = (_seconds(match[1]), _seconds(match[2])) if match else (None, None)
        return () if start is None or end is None or start >= end else ((start, end),)

    def aggregate(self, results: Sequence[Result]) -> dict[str, float]:
        """Returns the share right of all questions, 0 to 1."""
        return {"lvbench_score": micro(results)} if results else {}

    def _as_asked(self, text: str) -> str:
        """FlexSelect writes "A" for "(A)"."""
        return re.sub(r"\(([ABCD])\)", r"\1", text) if self.template == _FLEXSELECT else text


def flat(rows: Iterable[Row]) -> list[Row]:
    """Returns one row per question.

    Each given row holds all questions of a video in `qa`, or one question already.
    """
    found: list[Row] = []
    for number, row in enumerate(rows):
        if "qa" not in row:
            found.append(row)
            continue
        video = {key: value for key, value in row.items() if key != "qa"} | {"video_number": number}
        found += [video | question for question in row["qa"]]
    return found


def _whole(row: Row) -> str:
    """The question with its options, which some copies keep apart."""
    extra = zip(LETTERS, row.get("options") or (), strict=False)
    return row["question"] + "".join(f"\n({letter}) {option}" for letter, option in extra)


def _seconds(time: str) -> float | None:
    """MM:SS or H:MM:SS."""
    match = re.fullmatch(r"(?:(\d+):)?(\d+):(\d{1,2})", time)
    return float(int(match[1] or 0) * 3600 + int(match[2]) * 60 + int(match[3])) if match else None
