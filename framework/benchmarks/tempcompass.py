"""TempCompass: short clips, five temporal dimensions, four formats of the same knowledge.

Prompts and scores are those of lmms-eval 0.7.3 without an API key: where its rules match nothing it asks a judge over
the network, and offline that judge gives 0. So do we, at once. Captions are only ever scored by the judge: they are
written down, and have no accuracy.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from framework.benchmarks.annotated import Annotated, by_label, micro
from framework.benchmarks.base import Result, Strata
from framework.benchmarks.lettered import letter_options
from framework.benchmarks.tables import Row, number_rows, read_rows
from framework.core.errors import UsageError
from framework.core.types import Question

Read = tuple[float, str | None]
FORMATS = ("multi-choice", "yes_no", "caption_matching", "captioning")
CAPTIONS = ("Sentence ", "Option ", "Caption ")  # "Caption A" may be answered as "A"


@dataclass(kw_only=True)
class TempCompass(Annotated):
    """Asks one of the four formats of TempCompass; `post_prompt` follows the question."""

    videos_under = ("videos", "")

    format: str
    post_prompt: str
    max_new_tokens: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.format not in FORMATS:
            raise ValueError(f"format={self.format!r} is unknown; expected one of {', '.join(FORMATS)}")

    @property
    def annotations(self) -> tuple[str, ...]:
        """Names the annotation files of the format."""
        return f"{self.format}/test-*.parquet", f"questions/{self.format}.json", f"{self.format}.json"

    def rows(self) -> list[Row]:
        """Reads the rows of the parquet files, or of the authors' {video: {dimension: [rows]}}."""
        return number_rows((row for path in self.files() for row in _rows(path)), "video_id", "dim")

    def questions(self, rows: Iterable[Row]) -> list[Question]:
        """Returns one question per row, in order."""
        return [self.question(row) for row in number_rows(rows, "video_id", "dim")]

    def question(self, row: Row) -> Question:
        """Returns the question of one row: the published text and the post prompt.

        Yes-no questions and captions count as open, because their answers are no letters.
        """
        text = row["question"]
        bare, options = letter_options(text) if self.format == "multi-choice" else (text.strip(), ())
        return Question(
            id=f"{self.format}-{row['dim']}-{row['video_id']}-{row['_number']}",
            prompt=text + self.post_prompt,
            bare=bare,
            options=options,
            max_new_tokens=self.max_new_tokens,
        )

    def read(self, response: str, row: Row) -> Read:
        """Returns (1 or 0, what was read) by the format's rule; (0, None) where lmms-eval would ask its judge."""
        if self.format == "multi-choice":
            return _multi_choice(response, row["answer"])
        if self.format == "yes_no":
            return _yes_no(response, row["answer"])
        if self.format == "caption_matching":
            return _caption(response, row)
        return 0.0, None

    def right(self, row: Row) -> str:
        """Returns the letter of a lettered option; else the answer as the file has it.

        Raises ValueError where the row cannot be scored.
        """
        if not isinstance(row["answer"], str) or not row["answer"]:
            raise ValueError(f"answer must be a text, got {row['answer']!r}")
        if self.format == "caption_matching":
            _captions(row["question"]), _names(row["answer"])  # raise here and not while scoring
        return row["answer"][0] if self.format == "multi-choice" else row["answer"]

    def video_names(self, row: Row) -> tuple[str, ...]:
        """Returns <video_id>.mp4."""
        return (f"{row['video_id']}.mp4",)

    def strata(self, row: Row) -> Strata:
        """Returns the dimension: action, direction, speed, order or attribute_change."""
        return {"dimension": (row["dim"],)}

    def aggregate(self, results: Sequence[Result]) -> dict[str, float]:
        """Returns avg_accuracy and <dimension>_accuracy, 0 to 100, over questions; nothing for captioning."""
        if self.format == "captioning" or not results:
            return {}
        parts = by_label(results, "dimension")
        return {"avg_accuracy": 100 * micro(results)} | {f"{d}_accuracy": 100 * micro(p) for d, p in parts.items()}


def _rows(path: Path) -> list[Row]:
    if path.suffix == ".parquet":
        return read_rows(path)
    try:
        videos = json.loads(path.read_text(encoding="utf-8-sig"))
        return [
            {**row, "video_id": video, "dim": dimension}
            for video, dimensions in videos.items()
            for dimension, rows in dimensions.items()
            for row in rows
        ]
    except (json.JSONDecodeError, AttributeError, TypeError) as error:
        raise UsageError(f"{path}: expected {{video: {{dimension: [rows]}}}} ({error})") from error


def _multi_choice(response: str, answer: str) -> Read:
    """The whole answer, a letter, or a letter before a period or a bracket."""
    if response == answer:
        return 1.0, answer[0]
    if response in ("A", "B", "C", "D"):
        return float(response == answer[0]), response
    for mark in ".)":
        if response.startswith(tuple(letter + mark for letter in "ABCD")):
            return float(response[0] == answer[0]), response[0]
    return 0.0, None


def _yes_no(response: str, answer: str) -> Read:
    """What the response starts with: "Not sure" and "None" are a no."""
    for said in ("yes", "no"):
        if response.lower().startswith(said):
            return float(said == answer), said
    return 0.0, None


def _caption(response: str, row: Row) -> Read:
    """A line of the question, its text or its head; a later rule, and a later caption, wins over an earlier one."""
    captions = _captions(row["question"])
    heads = [head for head, _, _ in captions]
    said: str | None = None
    for line in (line for _, _, line in captions):
        if response == line:
            said = line
    for text in (text for _, text, _ in captions):
        if text == response or (") " in response and text == response.split(") ")[1]):
            said = text
    for head in (*heads, *map(_short, heads)):
        if head in (response, response.replace(".", "")):
            said = head
    return float(said in _names(row["answer"])), said


def _captions(question: str) -> list[tuple[str, str, str]]:
    """(head, text, line) of every line after the first."""
    lines = question.split("\n")[1:]
    if wrong := [line for line in lines if ": " not in line]:
        raise ValueError(f"expected captions such as 'Caption A: The ball rolls.', got {wrong[0]!r}")
    return [(line.split(": ")[0], line.split(": ")[1], line) for line in lines]


def _short(head: str) -> str:
    for word in CAPTIONS:
        head = head.replace(word, "")
    return head


def _names(answer: str) -> tuple[str, ...]:
    """All that stands for the right caption: the line, its head, its text, the second word of its head."""
    head, colon, _ = answer.partition(": ")
    if not colon or len(head.split()) < 2:
        raise ValueError(f"expected an answer such as 'Caption A: The ball rolls.', got {answer!r}")
    return answer, answer.split(":")[0], answer.split(": ")[1], head.split()[1]
