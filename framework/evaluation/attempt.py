"""Answering the questions about one video: together, else one by one, if need be with smaller passes."""

from __future__ import annotations

import gc
import logging
from collections.abc import Sequence

import torch

from framework.config.build import ConfigError
from framework.core.disk import is_full
from framework.core.errors import UsageError
from framework.core.outcome import Outcome
from framework.core.types import Question
from framework.engine.pipeline import Pipeline
from framework.video.errors import VideoError

_log = logging.getLogger(__name__)


def attempt(pipeline: Pipeline, path: str, questions: Sequence[Question]) -> list[Outcome | str]:
    """Returns for each question its outcome, or in words the error that kept it from having one.

    A wrong setting or a full disk would fail everywhere, so it is raised (UsageError, ConfigError, OSError). A
    VideoError is not.
    """
    try:
        return list(_answer(pipeline, path, questions))
    except (UsageError, ConfigError) as error:
        if not isinstance(error, VideoError):
            raise
        one_by_one, failure = False, f"{type(error).__name__}: {error}"
    except Exception as error:  # whatever one question does must not end the others
        if is_full(error):
            raise
        one_by_one, failure = len(questions) > 1, f"{type(error).__name__}: {error}"
        _log.debug("%s: %s", path, failure, exc_info=True)
    if not one_by_one:
        return [failure] * len(questions)
    _log.info("%s: %s; its questions are tried one by one", path, failure)
    return [result for question in questions for result in attempt(pipeline, path, [question])]


def _answer(pipeline: Pipeline, path: str, questions: Sequence[Question]) -> list[Outcome]:
    """The pipeline's outcomes; out of memory, with smaller passes."""
    while True:
        try:
            return pipeline.answer(path, questions)
        except torch.OutOfMemoryError:
            gc.collect()
            torch.cuda.empty_cache()
            if not pipeline.lighten():
                raise
            _log.warning("out of memory: trying again with smaller passes (key: backbone.adapter)")
