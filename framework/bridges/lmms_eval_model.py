"""Our pipelines as a model of lmms-eval: `lmms_eval --model tokensieve --model_args preset=adapttoken,...`.

lmms-eval brings prompts, scoring and tables; we answer. All questions about one video are asked together, so that they
share decoding, encoding and the visual prefix. docs/lmms_eval.md says how to run it.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping, Sequence
from statistics import fmean
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

SHOWN = 5  # reasons that are named
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
        _complain([result for result in results.values() if isinstance(result, str)], len(results))
        answers = [self._result(results[name], request.args[2]) for name, request in zip(names, requests, strict=True)]
        self._report(answers, list(results.values()), time.perf_counter() - start)
        return answers

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

    def _result(self, result: Outcome | str, settings: Mapping[str, Any]) -> GenerationResult:
        """What lmms-eval scores and logs: the text, and where the tokenizer is known how many tokens it took."""
        if isinstance(result, str):
            return GenerationResult("")
        text, selection, backbone = result.answer.text, result.selection, self.pipeline.backbone
        counts = None
        if selection is not None and isinstance(backbone, DecoderBackbone):
            prompt = backbone.chat.split(result.question, len(selection) > 0)
            read = len(prompt.before) + len(selection) + len(prompt.after)
            counts = TokenCounts(input_tokens=read, output_tokens=len(backbone.chat.literal(text)[0]))
        return GenerationResult(ended(text, settings), counts)

    def _report(self, answers: list[GenerationResult], results: list[Outcome | str], seconds: float) -> None:
        """What was spent, for the `throughput` part of lmms-eval's results; visual tokens are means over questions."""
        traces = [result.trace for result in results if not isinstance(result, str)]
        written = sum(answer.token_counts.output_tokens or 0 for answer in answers if answer.token_counts)
        spent: dict[str, float] = {"questions": len(results), "questions_failed": len(results) - len(traces)}
        if traces:
            spent |= {
                "visual_tokens_kept": fmean(trace.tokens_kept for trace in traces),
                "visual_tokens_seen": fmean(trace.tokens_seen for trace in traces),
                "visual_tokens_total": fmean(trace.tokens_total for trace in traces),
                "groups_visited_share": fmean(trace.visited_share for trace in traces),
            }
        log_metrics(seconds, written, written / seconds if seconds > 0 else 0.0, spent)

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        """Refused: a pipeline writes answers, it does not judge given ones."""
        raise UsageError("tokensieve cannot score given answers; choose a task with output_type: generate_until")

    def generate_until_multi_round(self, requests: list[Instance]) -> list[str]:
        """Refused: a question is answered in one turn."""
        raise UsageError("tokensieve answers in one turn; choose a task with output_type: generate_until")


def _complain(failures: list[str], asked: int) -> None:
    """Say loudly what failed; RuntimeError when nothing was answered."""
    if not failures:
        return
    named = "\n  ".join(list(dict.fromkeys(failures))[:SHOWN])
    message = f"{len(failures)} of {asked} questions failed and get an empty answer, which scores as wrong:\n  {named}"
    if len(failures) == asked:
        raise RuntimeError(message)
    _log.error(message)
