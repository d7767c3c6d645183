"""Where the main thread spends its processor's time while questions are answered: by stage of the ledger and by place.

What runs in other threads, and waiting for them, is not in these figures. Watches from outside, through what the engine
offers to everyone: a ledger of the caller's, a session of the caller's, and strategies.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import cast

import torch

from framework.core.interfaces import TokenRefiner
from framework.core.types import Candidates, Group, Question, ScoredGroup, Selection, Tokens
from framework.core.view import Needs
from framework.engine.ledger import Ledger
from framework.engine.live import LiveSession
from framework.engine.pipeline import Pipeline
from framework.engine.session import Wanted

IN_LOOK = ("decode", "encode", "probe", "score", "prior")  # stages that run while a group is looked at


class Watch(Ledger):
    """Records, beside the costs, the processor's seconds of the thread that made it: by stage, and by place."""

    def __init__(self) -> None:
        super().__init__()
        self.stages: defaultdict[str, float] = defaultdict(float)
        self.places: defaultdict[str, float] = defaultdict(float)  # look, park, refiner
        self.candidates: list[int] = []  # bytes of the tokens that the refiner was given, by question
        self.held = 0  # bytes of tokens that the session held between two groups, at most
        self._thread = threading.get_ident()

    @contextmanager
    def stage(self, name: str, payers: Sequence[str], tokens: int = 0, flops: float = 0.0) -> Iterator[None]:
        """Measures a stage as every ledger does, and notes the thread's own seconds."""
        with self._timed(self.stages, name), super().stage(name, payers, tokens, flops):
            yield

    @contextmanager
    def place(self, name: str) -> Iterator[None]:
        """Records the thread's own seconds at a place; it is a context manager."""
        with self._timed(self.places, name):
            yield

    @contextmanager
    def _timed(self, into: defaultdict[str, float], name: str) -> Iterator[None]:
        start = time.thread_time()
        try:
            yield
        finally:
            if threading.get_ident() == self._thread:
                into[name] += time.thread_time() - start


class WatchedSession(LiveSession):
    """Shows a video's groups, and tells the `Watch` that it is given as its ledger what that takes."""

    def at(self, group: Group, asking: Sequence[Question]) -> list[ScoredGroup]:
        """Shows a group."""
        with self._watch.place("look"):
            return super().at(group, asking)

    def release(self, awaited: set[int], wanted: Wanted) -> None:
        """Releases groups."""
        with self._watch.place("park"):
            super().release(awaited, wanted)
        self._watch.held = max(self._watch.held, self.held_bytes)

    def close(self) -> None:
        """Closes the session, after a last look at what it holds."""
        self._watch.held = max(self._watch.held, self.held_bytes)
        super().close()

    @property
    def _watch(self) -> Watch:
        return cast(Watch, self.ledger)


@dataclass(frozen=True)
class WatchedRefiner(TokenRefiner):
    """Refines as another refiner does, and notes what that takes, and what it was given."""

    inner: TokenRefiner
    watch: Watch
    overshoot: float

    @property
    def needs(self) -> Needs:
        """Asks for what the other one asks for."""
        return self.inner.needs

    def wider(self, budget: int) -> int | None:
        """Returns how many candidates the other one wants."""
        return self.inner.wider(budget)

    def refine(self, candidates: Candidates, question: Question, budget: int) -> Selection:
        """Returns the selection of the other one."""
        self.watch.candidates.append(nbytes(candidates.tokens))
        with self.watch.place("refiner"):
            return self.inner.refine(candidates, question, budget)

    def flops(self, candidates: Candidates, budget: int) -> float:
        """Estimates what the other one estimates."""
        return self.inner.flops(candidates, budget)


def watched(of: Pipeline, path: str, asked: Sequence[Question]) -> tuple[Watch, float]:
    """Answers questions once. Returns what was seen, and the thread's own seconds in all."""
    watch = Watch()
    refiner = WatchedRefiner(of.refiner, watch, of.refiner.overshoot)
    start = time.thread_time()
    replace(of, refiner=refiner, open_session=WatchedSession.open).answer(path, asked, ledger=watch)
    return watch, time.thread_time() - start


def nbytes(tokens: Tokens) -> int:
    """Counts the bytes of tokens, places included."""
    return sum(one.nbytes for one in (*vars(tokens).values(), *tokens.extra.values()) if isinstance(one, torch.Tensor))
