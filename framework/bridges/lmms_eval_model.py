"""Our pipelines as a model of lmms-eval: `lmms_eval --model tokensieve --model_args preset=adapttoken,...`.

lmms-eval brings prompts, scoring and tables; we answer. All questions about one video are asked together, so that they
share decoding, encoding and the visual prefix. docs/lmms_eval.md says how to run it.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import torch
from lmms_eval.api.instance import GenerationResult, Instance, TokenCounts
from lmms_eval.api.model import lmms
from lmms_eval.models.model_utils.gen_metrics import log_metrics
from omegaconf import OmegaConf
from rich.progress import track

from framework.backbones.base import DecoderBackbone
from framework.backbones.placement import resolve_device
from framework.bridges.arguments import overrides, place
from framework.bridges.messages import cut_at_stop, question, video_and_text
from framework.config.compose import compose_root
from framework.config.parts import build_pipeline
from framework.core.errors import UsageError
from framework.core.outcome import Outcome, Trace
from framework.core.types import Question
from framework.evaluation.attempt import attempt
from framework.report.console import console

SHOWN = 5  # reasons that are named
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """Holds one request of lmms-eval, as we see it."""

    path: str
    question: Question
    settings: Mapping[str, Any]  # how the task wants its text generated


class TokenSieve(lmms):
    """Runs one pipeline as a model of lmms-eval.

    The arguments are Hydra overrides; also pretrained, device and, without effect, batch_size.
    """

    is_simple = False

    def __init__(self, **arguments: Any) -> None:
        super().__init__()
        cfg = compose_root(overrides(place(arguments, os.environ, torch.cuda.device_count())))
        self.pipeline = build_pipeline(cfg)
        self.device = resolve_device(OmegaConf.select(cfg, "backbone.adapter.device", default="auto"), None)

    def generate_until(self, requests: list[Instance]) -> list[GenerationResult]:
        """Returns the answers, in the order of the requests; an empty one where the video or the question failed.

        Raises RuntimeError where all of them failed.
        """
        asked = [self._asked(request) for request in requests]
        by_video: dict[str, dict[str, Asked]] = {}
        for one in asked:
            by_video.setdefault(one.path, {})[one.question.id] = one  # what is repeated is asked once
        start = time.perf_counter()
        answers: dict[str, GenerationResult] = {}
        traces: list[Trace] = []
        failures: list[str] = []
        quiet = not (console(stderr=True).is_terminal and self.rank == 0)
        for path, together in track(by_video.items(), "videos", console=console(stderr=True), disable=quiet):
            outcomes = attempt(self.pipeline, path, [one.question for one in together.values()])
            for (name, one), outcome in zip(together.items(), outcomes, strict=True):
                if isinstance(outcome, str):
                    failures.append(outcome)
                    answers[name] = GenerationResult("")
                else:
                    traces.append(outcome.trace)  # and not its selection: thousands would fill the memory
                    answers[name] = self._result(outcome, one.settings)
        _complain(failures, len(answers))
        if traces:
            _report(list(answers.values()), traces, time.perf_counter() - start)
        return [answers[one.question.id] for one in asked]

    def _asked(self, request: Instance) -> Asked:
        _, doc_to_messages, settings, number, task, split = request.args
        name, row = f"{task}/{split}/{number}", self.task_dict[task][split][number]
        try:
            path, text = video_and_text(doc_to_messages(row))
            return Asked(path, question(name, text, row, settings), settings)
        except ValueError as error:
            raise ValueError(f"{name} cannot be asked: {error}") from error

    def _result(self, outcome: Outcome, settings: Mapping[str, Any]) -> GenerationResult:
        """What lmms-eval scores and logs: the text, and where the tokenizer is known how many tokens it took."""
        text, selection, backbone = outcome.answer.text, outcome.selection, self.pipeline.backbone
        counts = None
        if selection is not None and isinstance(backbone, DecoderBackbone):
            prompt = backbone.chat.split(outcome.question, len(selection) > 0)
            around = backbone.tick_text(backbone.shown_seconds(selection))
            read = len(backbone.before_answer(selection)) + len(selection) + around + len(prompt.after)
            counts = TokenCounts(input_tokens=read, output_tokens=len(backbone.chat.literal(text)[0]))
        return GenerationResult(cut_at_stop(text, settings), counts)

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        """Refuses with UsageError: a pipeline writes answers, it does not judge given ones."""
        raise UsageError("tokensieve cannot score given answers; choose a task with output_type: generate_until")

    def generate_until_multi_round(self, requests: list[Instance]) -> list[str]:
        """Refuses with UsageError: a question is answered in one turn."""
        raise UsageError("tokensieve answers in one turn; choose a task with output_type: generate_until")


def _report(answers: Sequence[GenerationResult], traces: Sequence[Trace], seconds: float) -> None:
    """What was spent, for the `throughput` part of lmms-eval's results; visual tokens are means over questions."""
    written = sum(answer.token_counts.output_tokens or 0 for answer in answers if answer.token_counts)
    spent = {
        "questions": len(answers),
        "questions_failed": len(answers) - len(traces),
        "visual_tokens_kept": fmean(trace.tokens_kept for trace in traces),
        "visual_tokens_seen": fmean(trace.tokens_seen for trace in traces),
        "visual_tokens_total": fmean(trace.tokens_total for trace in traces),
        "groups_visited_share": fmean(trace.visited_share for trace in traces),
    }
    log_metrics(seconds, written, written / seconds, spent)


def _complain(failures: list[str], asked: int) -> None:
    """Say loudly what failed; RuntimeError when nothing was answered."""
    if not failures:
        return
    named = "\n  ".join(list(dict.fromkeys(failures))[:SHOWN])
    message = f"{len(failures)} of {asked} questions failed and get an empty answer, which scores as wrong:\n  {named}"
    if len(failures) == asked:
        raise RuntimeError(message)
    _log.error(message)
