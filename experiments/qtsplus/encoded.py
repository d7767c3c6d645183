"""A video that is encoded once and then asked again and again, and what each stage of that costs.

Timing what comes after the vision tower needs neither decoding nor encoding repeated. Seconds are the processor's, all
threads of this process together: with one thread, what a clock shows where nothing else runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Self

from torch.profiler import ProfilerActivity, profile, record_function

from framework.core.outcome import Cost, Outcome
from framework.core.types import Question
from framework.engine.ledger import Ledger
from framework.engine.live import LiveSession
from framework.engine.pipeline import Pipeline
from framework.engine.session import Setup, Wanted

STAGE = "stage "  # before a stage's name among the profiler's events


class Encoded(LiveSession):
    """Keeps groups whole, so that they may be shown to other pipelines.

    Those need this pipeline's backbone and splitter.
    """

    def release(self, awaited: set[int], wanted: Wanted) -> None:
        """Releases nothing."""

    def serve(self, setup: Setup, path: str, questions: Sequence[Question], ledger: Ledger) -> Self:
        """Shows the video to another pipeline, as its `open_session`."""
        self.setup, self.questions, self.ledger = setup, questions, ProcessorLedger()
        return self


class ProcessorLedger(Ledger):
    """Records what stages cost by the processor's clock, and shows them among the profiler's events."""

    @contextmanager
    def stage(self, name: str, payers: Sequence[str], tokens: int = 0, flops: float = 0.0) -> Iterator[None]:
        """Measures a stage as a ledger does, by the processor's clock."""
        with record_function(STAGE + name):
            start = time.process_time()
            try:
                yield
            finally:
                self.charge(name, payers, Cost(time.process_time() - start, 1, tokens, flops))


def encode_first(pipeline: Pipeline, path: str, question: Question) -> tuple[Encoded, Outcome, float]:
    """Encodes a video by asking `pipeline` a first question.

    Returns the encoded video, the outcome, and the processor seconds of all that.
    """
    start = time.process_time()
    look = Encoded.open(pipeline.setup, path, [question], Ledger())
    outcome, _ = ask(pipeline, look, question)
    return look, outcome, time.process_time() - start


def ask(pipeline: Pipeline, look: Encoded, question: Question) -> tuple[Outcome, float]:
    """Asks `pipeline` about the encoded video and returns the outcome and the processor seconds that it took."""
    start = time.process_time()
    (outcome,) = replace(pipeline, open_session=look.serve).answer(look.timeline.path, [question])
    return outcome, time.process_time() - start


def total_cost(outcome: Outcome, *stages: str) -> Cost:
    """Sums the costs of those of the stages that there were."""
    return sum((outcome.trace.stages[name] for name in stages if name in outcome.trace.stages), start=Cost())


def peaks(run: Callable[[], object]) -> dict[str, int]:
    """Returns for every stage the most bytes of tensors that it held at once; CPU only.

    Tensors that were there when the stage began do not count.
    """
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as watched:
        run()
    assert watched.profiler is not None
    events = watched.profiler.kineto_results.events()
    changes = sorted((event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]")
    found: dict[str, int] = {}
    for event in events:
        if event.name().startswith(STAGE):
            held = most = 0
            for at, size in changes:
                if event.start_ns() <= at <= event.start_ns() + event.duration_ns():
                    held += size
                    most = max(most, held)
            found[event.name().removeprefix(STAGE)] = most
    return found
