"""Training samples from a file of one's own: questions about videos, one per line, every line once an epoch.

Lines are those of a benchmark of one's own (framework/benchmarks/jsonl.py) or in the layout of QTS-VSCQ and QTS-VQA:
{"vision_id", "question", "options": {"A": ..}, "answer"} and {"vision_id", "question", "prediction"}. What cannot be
used is said with file and line before training. It knows nothing of selectors.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from framework.backbones.base import DecoderBackbone
from framework.benchmarks.base import Item
from framework.benchmarks.jsonl import Jsonl
from framework.benchmarks.tables import Row
from framework.core.errors import UsageError
from framework.core.prompts import PromptTemplate
from framework.core.types import Question
from framework.training.video_features import VideoFeatures
from strategies.learned.qtsplus.training.batches import Batch, collate, sample
from strategies.learned.qtsplus.training.from_needles import DrawSettings

log = logging.getLogger(__name__)
ENDINGS = (".mp4", ".mkv", ".webm", ".avi", ".mov")  # tried where a video is named without one
REPORT = 100  # lines between lines of the log


@dataclass(frozen=True)
class Asked:
    """Holds one line of the file."""

    line: int
    video: Path
    question: Question
    answer: str | int  # the place of the right option, or the text of an open answer


class TrainingFile(Jsonl):
    """Reads the lines of `file`; videos are searched in `videos`, by default where the file lies."""

    key = "recipe.file"

    def __init__(self, file: str, videos: str | None, prompt: PromptTemplate) -> None:
        super().__init__("recipe.file", file, videos, [], prompt, None, None)

    def told(self, row: Row) -> Row:
        """Returns a row in the words of a benchmark of one's own.

        Options by letter become a list. vision_id and prediction are other words for video and answer.
        """
        told = {OTHER_WORDS.get(key, key): value for key, value in row.items()}
        options = told.get("options")
        if isinstance(options, dict) and sorted(options) == [chr(ord("A") + i) for i in range(len(options))]:
            told["options"] = [options[letter] for letter in sorted(options)]
        return told

    def video_names(self, row: Row) -> tuple[str, ...]:
        """Returns the names a video may have: the field `video` as it stands, and with each ending of a video file."""
        (name,) = super().video_names(row)
        return (name, *(name + ending for ending in ENDINGS))

    def asked(self) -> list[Asked]:
        """Returns every line. Raises UsageError that names file and lines where some cannot be used."""
        found = []
        for row in self.rows():
            video, right, question = self.find(row), self.right(row), self.question(row)
            assert video is not None  # rows() has seen to it
            answer = ord(right) - ord("A") if question.options else right
            found.append(Asked(row["_line"], video, question, answer))
        return found

    def _item(self, row: Row) -> Item:
        item = super()._item(row)
        if self.find(row) is None:
            raise ValueError(f"video {row['video']!r} is no file in {self.root} (keys: recipe.file, recipe.videos)")
        return item


OTHER_WORDS = {"vision_id": "video", "prediction": "answer"}


class FileSource:
    """Deals batches of the lines, in another order every epoch.

    All videos are encoded at once, before the first batch. Raises UsageError that names file and line where a video or
    a question cannot be used.
    """

    def __init__(
        self,
        file: TrainingFile,
        asked: Sequence[Asked],
        features: VideoFeatures,
        backbone: DecoderBackbone,
        draw: DrawSettings,
        seed: int,
    ) -> None:
        self.asked, self.features, self.backbone, self.draw, self.seed = asked, features, backbone, draw, seed
        for number, one in enumerate(asked, 1):
            try:
                features.prepare(one.video)
                backbone.chat.split(one.question, True)
            except ValueError as error:
                raise UsageError(f"{file.file}, line {one.line}: {error}") from error
            if number % REPORT == 0:
                log.info("videos of %d of %d lines are encoded", number, len(asked))

    def __call__(self, generator: np.random.Generator, step: int) -> Batch:
        """Returns the batch of a step: `videos` x `questions` lines."""
        size = self.draw.videos * self.draw.questions
        samples = []
        for place in range(step * size, (step + 1) * size):
            epoch, nth = divmod(place, len(self.asked))
            one = self.asked[_order(self.seed, epoch, len(self.asked))[nth]]
            samples.append(sample(self.backbone, self.features[one.video], one.question, one.answer))
        return collate(samples, self.draw.ratios(generator, size))


@lru_cache(2)  # a batch may reach into the next epoch
def _order(seed: int, epoch: int, lines: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch]).permutation(lines)
