"""Our pipelines as a model of lmms-eval: `lmms_eval --model tokensieve --model_args preset=adapttoken,...`.

lmms-eval brings prompts, scoring and tables; we answer. All questions about one video are asked together, so that they
share decoding, encoding and the visual prefix. docs/lmms_eval.md says how to run it.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from typing import Any

import torch
from lmms_eval.api.instance import GenerationResult, Instance, TokenCounts
from lmms_eval.api.model import lmms
from lmms_eval.models.model_utils.gen_metrics import log_metrics
from omegaconf import OmegaConf
from rich.progress import track

from framework.backbones.base import DecoderBackbone
from framework.backbones.loading import resolved_device
from framework.bridges.arguments import composed, placed
from framework.bridges.messages import ended, question, video_and_text
from framework.build import build_pipeline
from framework.errors import UsageError
from framework.evaluation.attempt import attempt
from framework.outcome import Outcome
from framework.report.console import console
from framework.types import Question

SHOWN = 5  # failures that are named
_log = logging.getLogger(__name__)


class TokenSieve(lmms):
    """One pipeline. The arguments are Hydra overrides; also pretrained, device and, without effect, batch_size."""

    is_simple = False

    def __init__(self, **arguments: Any) -> None:
        super().__init__()
        cfg = composed(placed(arguments, os.environ, torch.cuda.device_count()))
        self.pipeline = build_pipeline(cfg)
        self.device = resolved_device(OmegaConf.select(cfg, "backbone.adapter.device", default="auto"), None)

    def generate_until(self, requests: list[Instance]) -> list[GenerationResult]:
        """The answers, in the order of the requests; an empty one where the video or the question failed."""
        names, by_video = self._asked(requests)
        start = time.perf_counter()
        results: dict[str, Outcome | str] = {}
        quiet = not (console(stderr=True).is_terminal and self.rank == 0)
        for path, asked in track(by_video.items(), "videos", console=console(stderr=True), disable=quiet):
            outcomes = attempt(self.pipeline, path, list(asked.values()))
            results |= zip(asked, outcomes, strict=True)
        _complain({name: result for name, result in results.items() if isinstance(result, str)}, len(results))
        answers = {name: self._result(result) for name, result in results.items()}
        self._log(list(answers.values()), list(results.values()), time.perf_counter() - start)
        settings = {name: request.args[2] for name, request in zip(names, requests, strict=True)}
        for name, answer in answers.items():
            answer.text = ended(answer.text, settings[name])
        return [answers[name] for name in names]

    def _asked(self, requests: Sequence[Instance]) -> tuple[list[str], dict[str, dict[str, Question]]]:
        """The name of every request, and video -> name -> question. A request that is repeated is asked once."""
        names: list[str] = []
        by_video: dict[str, dict[str, Question]] = {}
        for request in requests:
            _, doc_to_messages, settings, row_number, task, split = request.args
            name, row = f"{task}/{split}/{row_number}", self.task_dict[task][split][row_number]
            try:
                path, text = video_and_text(doc_to_messages(row))
                asked = question(name, text, row, settings)
            except ValueError as error:
                raise ValueError(f"{name} cannot be asked: {error}") from error
            names.append(name)
            by_video.setdefault(path, {})[name] = asked
        return names, by_video

    def _result(self, result: Outcome | str) -> GenerationResult:
        """What lmms-eval scores and logs: the text, and where the tokenizer is known how many tokens it took."""
        if isinstance(result, str):
            return GenerationResult("")
        backbone, selection = self.pipeline.backbone, result.selection
        if selection is None or not isinstance(backbone, DecoderBackbone):
            return GenerationResult(result.answer.text)
        prompt = backbone.chat.split(result.question, len(selection) > 0)
        read = len(prompt.before) + len(selection) + len(prompt.after)
        written = len(backbone.chat.literal(result.answer.text)[0])
        return GenerationResult(result.answer.text, TokenCounts(input_tokens=read, output_tokens=written))

    def _log(self, answers: list[GenerationResult], results: list[Outcome | str], seconds: float) -> None:
        """What we spent, for the `throughput` part of lmms-eval's results."""
        traces = [result.trace for result in results if not isinstance(result, str)]
        written = sum(answer.token_counts.output_tokens or 0 for answer in answers if answer.token_counts)
        count = max(1, len(traces))
        spent = {
            "questions": len(results),
            "questions_failed": len(results) - len(traces),
            "visual_tokens_kept": sum(trace.tokens_kept for trace in traces) / count,
            "visual_tokens_seen": sum(trace.tokens_seen for trace in traces) / count,
            "visual_tokens_total": sum(trace.tokens_total for trace in traces) / count,
            "groups_visited_share": sum(trace.visited_share for trace in traces) / count,
        }
        log_metrics(seconds, written, written / seconds if seconds > 0 else 0.0, spent)

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        """Refused: a pipeline writes answers, it does not judge given ones."""
        raise UsageError("tokensieve cannot score given answers; choose a task with output_type: generate_until")

    def generate_until_multi_round(self, requests: list[Instance]) -> list[str]:
        """Refused: a question is answered in one turn."""
        raise UsageError("tokensieve answers in one turn; choose a task with output_type: generate_until")


def _complain(failures: dict[str, str], asked: int) -> None:
    """Name what failed; RuntimeError when nothing was answered."""
    if not failures:
        return
    named = "\n  ".join(f"{name}: {why}" for name, why in list(failures.items())[:SHOWN])
    message = f"{len(failures)} of {asked} questions failed and get an empty answer, which scores as wrong:\n  {named}"
    if len(failures) == asked:
        raise RuntimeError(message)
    _log.error(message)
