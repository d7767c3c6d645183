"""The next video is opened, and its first frames are decoded, while a pipeline is busy with this one.

What goes wrong there is not told for good: the video's own turn meets the same error again. So nothing but time
depends on whether a head start was taken. It is bounded: a waiting source decodes no more than its first group needs,
and no more than SPOOL_RAM_BYTES.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

from framework.core.outcome import Cost
from framework.core.types import Question
from framework.engine.arrival import reads
from framework.engine.ledger import Ledger
from framework.engine.live import LiveSession, frame_size
from framework.engine.pipeline import Pipeline
from framework.engine.session import Session, Setup
from framework.video.errors import VideoError
from framework.video.stream import FrameSource
from framework.video.timeline import timeline as make_timeline

log = logging.getLogger(__name__)


class Ahead:
    """Opens one video ahead. Its `pipeline` takes the head start over when that video's turn comes.

    For pipelines that show the videos themselves, recorded or not; a replay has nothing to decode.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._opener = pipeline.open_session
        self._next: str | None = None
        self._coming: _Coming | None = None
        self.pipeline = replace(pipeline, open_session=self.open)

    def announce(self, path: str) -> None:
        """Says which video comes after the one that is about to be opened, or is open already."""
        self._next = path

    def open(self, setup: Setup, path: str, questions: Sequence[Question], ledger: Ledger) -> Session:
        """Opens the video at `path` with what was done ahead, and begins with the one that was announced.

        What is left to wait for is booked as the stage `timeline`. Raises what the pipeline's own opener raises.
        """
        start, source = time.perf_counter(), self._taken(path)
        ledger.charge("timeline", [question.id for question in questions], Cost(time.perf_counter() - start))
        with ExitStack() as unclaimed:
            if source is not None:
                unclaimed.callback(source.close)
            self._begin(setup)
            session = self._opener(setup, path, questions, ledger)
            if source is not None and isinstance(session, LiveSession) and session.take_over(source):
                unclaimed.pop_all()
        return session

    def close(self) -> None:
        """Ends what was begun ahead. May be called twice."""
        self._next = None
        if self._coming is not None:
            self._coming.drop()
            self._coming = None

    def _taken(self, path: str) -> FrameSource | None:
        """The source of this video, if it was begun. A video is opened again where something failed: then there is
        none, and the one that comes next stays."""
        if self._coming is None or self._coming.path != path:
            return None
        source = self._coming.take()
        self._coming = None
        return source

    def _begin(self, setup: Setup) -> None:
        if self._next is not None:
            if self._coming is not None:
                self._coming.drop()
            self._coming, self._next = _Coming(setup, self._next), None


class _Coming:
    """A video that is being opened in a thread of its own."""

    def __init__(self, setup: Setup, path: str) -> None:
        self.path = path
        self._setup = setup
        self._source: FrameSource | None = None
        self._dropped = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._open, name="ahead", daemon=True)
        self._thread.start()

    def take(self) -> FrameSource | None:
        """Waits until the video is open. Its source, which decodes already; None where there is nothing to take."""
        self._thread.join()
        return self._source

    def drop(self) -> None:
        """Ends the decoding. Reading a long file's packets is not waited for; its thread ends by itself."""
        with self._lock:
            self._dropped = True
            if self._source is not None:
                self._source.close()

    def _open(self) -> None:
        try:
            self._begin()
        except VideoError as error:  # its own turn meets it again, and tells it
            log.debug("%s", error)
        except Exception as error:
            log.warning("%s: it is not opened ahead (%s: %s)", self.path, type(error).__name__, error)

    def _begin(self) -> None:
        setup, backbone = self._setup, self._setup.backbone
        timeline = make_timeline(self.path, setup.sampling, backbone.frames_per_tick, setup.reader, backbone.tick_time)
        if not setup.needs.frames:  # the file's packets are listed now, and what is to be decoded is not known yet
            return
        groups = setup.splitter.split(timeline)
        size = frame_size(setup, timeline)
        source = FrameSource(timeline, setup.reader, size, reads(setup, groups, size))
        with self._lock:
            if not self._dropped:
                source.start(groups[0])
                self._source = source
