"""HLVid: five-minute clips in up to 4K whose questions hang on small details, in homes and from cars.

Its authors publish no evaluation code. `question` is the whole prompt and stays as it is; the answer is read as
lmms-eval 0.7.3 reads other letters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from framework.benchmarks.annotated import Annotated, by_label, micro
from framework.benchmarks.base import Result, Strata
from framework.benchmarks.extraction import letter
from framework.benchmarks.lettered import letter_options
from framework.benchmarks.tables import Row
from framework.core.types import Question

LETTERS = "ABCD"


@dataclass(kw_only=True)
class HLVid(Annotated):
    """Asks the questions of HLVid's test split."""

    annotations = ("data/test-*.parquet", "test-*.parquet")
    videos_under = ("videos", "")

    max_new_tokens: int

    def question(self, row: Row) -> Question:
        """Returns the question of one row; its prompt is the field `question`, unchanged.

        The clip is part of the id, because numbers alone may repeat.
        """
        bare, options = letter_options(row["question"])
        return Question(
            id=f"{PurePosixPath(row['video_path']).stem}-{row['question_id']}",
            prompt=row["question"],
            bare=bare,
            options=options,
            max_new_tokens=self.max_new_tokens,
        )

    def read(self, response: str, row: Row) -> tuple[float, str | None]:
        """Returns (1 or 0, the letter that was read, or None)."""
        said = letter(response, LETTERS) or None
        return float(said == row["answer"]), said

    def right(self, row: Row) -> str:
        """Returns the right letter. Raises ValueError unless it is one of A to D."""
        if row["answer"] not in tuple(LETTERS):
            raise ValueError(f"answer must be one of {', '.join(LETTERS)}, got {row['answer']!r}")
        return row["answer"]

    def video_names(self, row: Row) -> tuple[str, ...]:
        """Returns the field `video_path`, with and without its folders."""
        return (row["video_path"], PurePosixPath(row["video_path"]).name)

    def strata(self, row: Row) -> Strata:
        """Returns the category, such as household."""
        return {"category": (row["category"],)}

    def aggregate(self, results: Sequence[Result]) -> dict[str, float]:
        """Returns hlvid_accuracy, over all questions, and <category>_accuracy, 0 to 100."""
        if not results:
            return {}
        parts = by_label(results, "category")
        return {"hlvid_accuracy": 100 * micro(results)} | {f"{c}_accuracy": 100 * micro(p) for c, p in parts.items()}
