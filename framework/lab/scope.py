"""What the lab model is for: videos that the lab has made, questions in the words of its vocabulary, few options.

It knows the video by its encoder, and a word by the tokenizer. It knows no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from framework.backbones.scope import Scope
from framework.core.types import Question
from framework.lab.tokenizer import words_of
from framework.lab.video import is_made

NAMED = 5  # unknown words in one line


@dataclass(frozen=True)
class MadeVideos(Scope):
    """Says where a video is none of the lab's, where too many words are unknown to it, or where options are many."""

    side: int  # of a picture, pixels
    most_options: int  # that it was trained on
    unknown_share: float  # of a question's words, or of its options', 0..1; above it the question is foreign
    instead: str  # an option of conf/backbone that can watch films

    def __post_init__(self) -> None:
        if not 0 <= self.unknown_share <= 1:
            raise ValueError(f"unknown_share must lie within 0..1, got {self.unknown_share}")

    def caution(self, video: str, questions: Sequence[Question]) -> str | None:
        """Names the reasons in one line: the video, the words, the options. Returns None where there are none."""
        reasons = [] if is_made(video, self.side) else ["this video is none of its own"]
        if foreign := self._foreign(questions):
            more = ", ..." if len(foreign) > NAMED else ""
            reasons.append(f"it does not know the words {', '.join(foreign[:NAMED])}{more}")
        if (most := max((len(question.options) for question in questions), default=0)) > self.most_options:
            reasons.append(f"it has learned questions of up to {self.most_options} options, got {most}")
        if not reasons:
            return None
        return f"toy model of made videos: for real films take backbone={self.instead} ({'; '.join(reasons)})"

    def _foreign(self, questions: Sequence[Question]) -> list[str]:
        """The unknown words of the questions that have too many of them, each once."""
        found: dict[str, None] = {}
        for question in questions:
            for text in (question.bare, " ".join(question.options)):
                known, unknown = words_of(text)
                if len(unknown) > self.unknown_share * (len(known) + len(unknown)):
                    found.update(dict.fromkeys(unknown))
        return list(found)
