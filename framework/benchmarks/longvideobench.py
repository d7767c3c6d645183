"""LongVideoBench, validation: two to five options about moments that the question refers to.

Wu et al., "LongVideoBench" (2024); asked and scored as lmms-eval 0.7.3 does, other profiles by name.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from framework.benchmarks.annotated import micro
from framework.benchmarks.base import Result, Strata
from framework.benchmarks.extraction import last_option, longvideobench_letter
from framework.benchmarks.multiple_choice import LETTERS, MultipleChoice, Profile, Rule, check_choice
from framework.benchmarks.subtitles import between_frames, frame_seconds
from framework.benchmarks.tables import Row

_PROMPT = "{question}\n{options}\nAnswer with the option's letter from the given choices directly.\n"
_SUBTITLES = {"none": ("", ""), "interleaved": ("<image>", "\n"), "joined": ("", ".")}  # sign of a frame, joint
_PROFILES = {
    "lmms_eval_0_7_3": Profile(_PROMPT, 32),
    "flexselect": Profile(_PROMPT, 1, "legacy"),
}
_RULES: dict[str, Rule] = {"current": lambda text, _: longvideobench_letter(text), "legacy": last_option}


@dataclass(kw_only=True)
class LongVideoBench(MultipleChoice):
    """Asks the questions of LongVideoBench's validation split, with or without subtitles.

    `subtitles` is none, interleaved (lmms-eval's longvideobench_val_i) or joined (FlexSelect's val_v_sub). Interleaved
    text names each of `subtitle_frames` frames as <image>. The video itself comes before all text. So the wording is
    that of longvideobench_val_i, but not the order of pictures.
    """

    annotations = (
        *("validation-*.parquet", "lvb_val.json", "**/*LongVideoBench/**/validation-*.parquet", "**/lvb_val.json"),
    )
    videos_under = ("videos", "datasets/longvideobench/videos", "longvideobench/videos", "LongVideoBench/videos", "")
    profiles = _PROFILES
    rules = _RULES

    subtitles: str
    subtitle_frames: int

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("subtitles", self.subtitles, _SUBTITLES)
        if self.subtitle_frames < 1:
            raise ValueError(f"subtitle_frames must be at least 1, got {self.subtitle_frames}")

    def identity(self, row: Row) -> str:
        """Returns the published id: video and number."""
        return str(row["id"])

    def stem(self, row: Row) -> str:
        """Returns the question, with what it refers to."""
        return row["question"]

    def options(self, row: Row) -> tuple[str, ...]:
        """Returns the texts of `candidates` (json) or of `option0` to `option4` (parquet).

        There, "N/A" means that there is no such option.
        """
        published = row.get("candidates") or [row.get(f"option{i}") for i in range(5)]
        return tuple(option for option in published if option not in (None, "N/A"))

    def prompt(self, row: Row) -> str:
        """Returns the exact user text: the question, or subtitles and then the question."""
        options = "\n".join(f"{letter}. {option}" for letter, option in zip(LETTERS, self.options(row), strict=False))
        text = self.template.format(question=row["question"], options=options)
        return text if self.subtitles == "none" else f"{self._between(row)}\n{text}"

    def right(self, row: Row) -> str:
        """Returns the letter of `correct_choice`. Raises ValueError where it is missing or no option."""
        choice, options = row.get("correct_choice"), self.options(row)
        if choice is None:
            raise ValueError("no correct_choice; the answers of the test split are not published")
        if not 0 <= choice < len(options):
            raise ValueError(f"correct_choice={choice}, but there are {len(options)} options")
        return LETTERS[choice]

    def video_names(self, row: Row) -> tuple[str, ...]:
        """Returns the field `video_path`."""
        return (row["video_path"],)

    def strata(self, row: Row) -> Strata:
        """Returns duration group in seconds, question category and topic category.

        The level of perception is added where it is published.
        """
        keys = ("duration_group", "question_category", "topic_category", "level")
        return {key: (str(row[key]),) for key in keys if row.get(key) is not None}

    def aggregate(self, results: Sequence[Result]) -> dict[str, float]:
        """Returns the share right of all questions, 0 to 1, with five digits."""
        return {"lvb_acc": round(micro(results), 5)} if results else {}

    def _between(self, row: Row) -> str:
        picture, joint = _SUBTITLES[self.subtitles]
        subtitles = json.loads(self._subtitle_file(row).read_text(encoding="utf-8"))
        seconds = frame_seconds(row["duration"], self.subtitle_frames)
        return between_frames(
            subtitles, seconds, row["starting_timestamp_for_subtitles"], row["duration"], picture, joint
        )

    def _subtitle_file(self, row: Row) -> Path:
        if self.root is None:
            raise ValueError("subtitles are read from files: say where, benchmark.root=FOLDER")
        folders = [folder.replace("videos", "subtitles") for folder in self.videos_under]
        for folder in folders:
            if (path := Path(self.root) / folder / row["subtitle_path"]).is_file():
                return path
        raise ValueError(f"its subtitles {row['subtitle_path']} are not under {self.root}; expected subtitles/")
