"""One outcome or one error in words per question; only a wrong setting ends everything."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import Any

import pytest
import torch

from framework.config.build import ConfigError
from framework.core.errors import UsageError
from framework.core.types import Question
from framework.evaluation.attempt import attempt
from framework.video.errors import VideoError


def asked(*names: str) -> list[Question]:
    return [Question(name, "why?", "why?") for name in names]


class Pipeline:
    """Answers with the questions' names; a question called after an error raises it."""

    def __init__(self, lighter: int = 0) -> None:
        self.backbone, self.lighter, self.calls = self, lighter, []  # type: ignore[var-annotated]

    def lighten(self) -> bool:
        self.lighter -= 1
        return self.lighter >= 0

    def answer(self, path: str, questions: Sequence[Question]) -> list[Any]:
        names = [question.id for question in questions]
        self.calls.append(names)
        errors: dict[str, Exception] = {
            "video": VideoError(path, "broken", "Copy it again"),
            "usage": UsageError("budget"),
            "config": ConfigError("budget"),
            "other": KeyError("x"),
        }
        if "huge" in names or ("large" in names and self.lighter > 0):
            raise torch.OutOfMemoryError("full")
        for name in names:
            if name in errors:
                raise errors[name]
        return [f"outcome of {name}" for name in names]


def test_all_together() -> None:
    pipeline: Any = Pipeline()
    assert attempt(pipeline, "v.mp4", asked("a", "b")) == ["outcome of a", "outcome of b"]
    assert pipeline.calls == [["a", "b"]]


def test_one_by_one_when_together_fails() -> None:
    pipeline: Any = Pipeline()
    found = attempt(pipeline, "v.mp4", asked("a", "other", "b"))
    assert found == ["outcome of a", "KeyError: 'x'", "outcome of b"]
    assert pipeline.calls == [["a", "other", "b"], ["a"], ["other"], ["b"]]


def test_a_broken_video_is_tried_once() -> None:
    pipeline: Any = Pipeline()
    assert attempt(pipeline, "v.mp4", asked("a", "video")) == ["VideoError: video=v.mp4: broken. Copy it again"] * 2
    assert len(pipeline.calls) == 1


def test_out_of_memory_takes_smaller_passes_while_there_are_any() -> None:
    pipeline: Any = Pipeline(lighter=2)
    assert attempt(pipeline, "v.mp4", asked("a", "large")) == ["outcome of a", "outcome of large"]
    assert pipeline.calls == [["a", "large"]] * 3
    assert attempt(pipeline, "v.mp4", asked("a", "huge")) == ["outcome of a", "OutOfMemoryError: full"]


@pytest.mark.parametrize("name", ["usage", "config"])
def test_a_wrong_setting_ends_it(name: str) -> None:
    pipeline: Any = Pipeline()
    with pytest.raises((UsageError, ConfigError), match="budget"):
        attempt(pipeline, "v.mp4", asked("a", name))


@pytest.mark.parametrize(("number", "asked_once"), [(errno.ENOSPC, True), (errno.EDQUOT, True), (errno.EIO, False)])
def test_a_full_disk_ends_it_and_another_error_does_not(number: int, asked_once: bool) -> None:
    pipeline: Any = Pipeline()
    pipeline.answer = lambda path, questions: (_ for _ in ()).throw(OSError(number, "disk"))
    if asked_once:
        with pytest.raises(OSError, match="disk"):
            attempt(pipeline, "v.mp4", asked("a", "b"))
    else:
        assert attempt(pipeline, "v.mp4", asked("a", "b")) == [f"OSError: [Errno {number}] disk"] * 2
