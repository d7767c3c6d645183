"""Video-MME: four options about short, medium and long videos, with or without subtitles.

Fu et al., "Video-MME" (2024); asked and scored as lmms-eval 0.7.3 does, other profiles by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import av

from framework.benchmarks.base import Result, Strata
from framework.benchmarks.extraction import legacy_letter, letter
from framework.benchmarks.multiple_choice import LETTERS, MultipleChoice, Profile, Rule, check_choice, check_letter
from framework.benchmarks.subtitles import parse_srt, subtitles_at_frames
from framework.benchmarks.tables import Row
from framework.video.container import open_container

_TASK = (
    "Select the best answer to the following multiple-choice question based on the video{subtitles}. "
    "Respond with only the letter (A, B, C, or D) of the correct option.\n"
)
_WITH_SUBTITLES = _TASK.replace("{subtitles}", " and the subtitles") + "{question}\n{options}\n"
_WITHOUT = _TASK.replace("{subtitles}", "") + "{question}\n{options}\n"
_DIRECTLY = "\nAnswer with the option's letter from the given choices directly."
_QWEN3_VL = "Question: {question}\nOptions:\n{options}\nAnswer with the option letter only."
_BEST = "The best answer is:"
_SUBTITLE_FRAMES = {"llava_vid": 768, "qwen3_vl": 768}  # of lmms-eval's profiles; 32 in any other
_PROFILES = {  # "and the subtitles" without any, and the blank line before the last, are lmms-eval's
    "lmms_eval_0_7_3": Profile(_WITH_SUBTITLES + _DIRECTLY, 16),
    "llava_vid": Profile(_WITH_SUBTITLES + _BEST, 16),
    "gpt4v": Profile(_WITH_SUBTITLES + "Answer the question with A, B, C, or D.", 16),
    "qwen3_vl": Profile(_QWEN3_VL, 16),
    "official": Profile(_WITHOUT + _BEST, 16, "legacy"),
    "flexselect": Profile(_WITH_SUBTITLES + _DIRECTLY, 1, "legacy"),
}
_RULES: dict[str, Rule] = {"current": lambda text, _: letter(text), "legacy": lambda text, _: legacy_letter(text)}


@dataclass(kw_only=True)
class VideoMME(MultipleChoice):
    """Asks the questions of Video-MME, with or without subtitles.

    `subtitles` puts those of `subtitle_frames` frames before the question (null: as many as the profile has).
    `subtitle_order` is upstream (the order of a CPython set) or time.
    """

    annotations = ("videomme/test-*.parquet", "test-*.parquet", "**/videomme/test-*.parquet")
    videos_under = ("data", "videomme/data", "", "videos", "video")
    profiles = _PROFILES
    rules = _RULES

    subtitles: bool
    subtitle_frames: int | None
    subtitle_order: str

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("subtitle_order", self.subtitle_order, ("upstream", "time"))
        if self.subtitle_frames is not None and self.subtitle_frames < 1:
            raise ValueError(f"subtitle_frames must be at least 1 or null, got {self.subtitle_frames}")

    def identity(self, row: Row) -> str:
        """Returns the published id, such as "001-1"."""
        return str(row["question_id"])

    def stem(self, row: Row) -> str:
        """Returns the question alone."""
        return row["question"]

    def options(self, row: Row) -> tuple[str, ...]:
        """Returns the texts of the options, which are published as "A. One."."""
        options = zip(row["options"], LETTERS, strict=False)
        return tuple(option.removeprefix(f"{letter}.").strip() for option, letter in options)

    def prompt(self, row: Row) -> str:
        """Returns the exact user text. With subtitles, every profile but qwen3_vl ends in the same words."""
        template = self.template
        if self.subtitles and template != _QWEN3_VL:
            template = _WITH_SUBTITLES + _BEST
        text = template.format(question=row["question"], options="\n".join(row["options"]))
        return f"This video's subtitles are listed below: \n{self._shown(row)}\n{text}" if self.subtitles else text

    def right(self, row: Row) -> str:
        """Returns the right letter. Raises ValueError unless it is one capital letter."""
        return check_letter(row["answer"])

    def video_names(self, row: Row) -> tuple[str, ...]:
        """Returns the names by the id of the video on YouTube."""
        return tuple(f"{row['videoID']}.{suffix}" for suffix in ("mp4", "MP4", "mkv"))

    def strata(self, row: Row) -> Strata:
        """Returns length, domain, sub-category and task type."""
        return {key: (str(row[key]),) for key in ("duration", "domain", "sub_category", "task_type")}

    def aggregate(self, results: Sequence[Result]) -> dict[str, float]:
        """Returns the percent right of all questions."""
        if not results:
            return {}
        return {"videomme_perception_score": 100 * sum(result.correct for result in results) / len(results)}

    def _shown(self, row: Row) -> str:
        """The subtitles of the frames, read from the files next to the videos."""
        frames = self.subtitle_frames or _SUBTITLE_FRAMES.get(self.profile, 32)
        if self.root is not None and (video := self.find(row)) is not None:
            for folder in ("subtitle", "videomme/subtitle", "subtitles"):
                if (path := Path(self.root) / folder / f"{row['videoID']}.srt").is_file():
                    return _subtitles(video, path, frames, self.subtitle_order == "time")
        return "No subtitles available"


@lru_cache(maxsize=1)  # the questions of one video follow each other
def _subtitles(video: Path, path: Path, sampled: int, chronological: bool) -> str:
    """Frame rate and number of frames as the file's header has them."""
    with open_container(str(video)) as (container, stream):
        rate = float(stream.average_rate or 0)
        frames = stream.frames or int((container.duration or 0) / av.time_base * rate + 0.5)
    subtitles = parse_srt(path.read_text(encoding="utf-8"))
    return subtitles_at_frames(subtitles, rate, frames, sampled, chronological)
