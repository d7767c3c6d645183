"""Looking at a video and keeping what its probes revealed, in a folder of recordings.

A file is complete before the first question of its video is answered. Questions that share the passes over a video
share a file; with share=false, or when they had to be tried one by one, each has its own.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from framework.benchmarks.base import VideoItem
from framework.core.errors import UsageError
from framework.core.types import Group, Question, ScoredGroup, Scores
from framework.core.view import GroupView, Probe
from framework.engine.ledger import Ledger
from framework.engine.live import LiveSession
from framework.engine.session import Session, Setup, Wanted
from framework.recording.file import RecordingFile
from framework.recording.format import Entry, Parked, Recording
from framework.recording.logits import CompactLogits

FOLDER = "probes"  # inside a run folder
LONGEST = 80  # characters of a video's name in that of its file
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recorder:
    """Writes recordings into `folder`, one per video. Its `open` is a pipeline's `open_session`."""

    folder: Path

    def open(self, setup: Setup, path: str, questions: Sequence[Question], ledger: Ledger) -> Session:
        """Opens a session that looks at the video and writes down what its probes revealed."""
        session = RecordingSession.open(setup, path, questions, ledger)
        session.file = self.file(path, [question.id for question in questions])
        return session

    def settled(self, video: VideoItem) -> bool:
        """Says whether the probes of all questions about a video are there, in files that can be read."""
        questions = [item.question.id for item in video.items]
        alone = ([question] for question in questions)
        return _is_recording(self.file(video.path, questions)) or all(
            _is_recording(self.file(video.path, one)) for one in alone
        )

    def clear(self) -> None:
        """Removes what writing recordings left when it was killed. Whoever calls it holds the run folder."""
        for left in (*self.folder.glob(".*.part"), *self.folder.glob(".tmp*")):  # the latter are of safetensors
            left.unlink(missing_ok=True)

    def file(self, path: str, questions: Sequence[str]) -> Path:
        """Returns where the recording of a look with these questions lies.

        It is named after the video file and the questions, wherever the video lies.
        """
        asked = hashlib.sha256("\0".join(questions).encode()).hexdigest()[:10]
        name = re.sub(r"[^\w.-]", "_", Path(path).stem)[:LONGEST]
        return self.folder / f"{name}-{asked}.safetensors"


def _is_recording(file: Path) -> bool:
    if not file.exists():
        return False
    try:
        RecordingFile(file)
    except UsageError as error:
        _log.warning("%s", error)
        return False
    return True


class RecordingSession(LiveSession):
    """Shows the video itself and keeps every probe in compact form.

    It writes them to `file` once the last group was seen.
    """

    file: Path

    def __post_init__(self) -> None:
        super().__post_init__()
        self._entries: list[Entry] = []
        self._vocabulary = 0
        self._seen: dict[int, list[ScoredGroup]] = defaultdict(list)  # by group
        self.most = self.setup.most(self.tokens_per_tick)

    def at(self, group: Group, asking: Sequence[Question]) -> list[ScoredGroup]:
        """Shows `group` as a live session does."""
        seen = super().at(group, asking)
        self._seen[group.index] += seen
        return seen

    def release(self, awaited: set[int], wanted: Wanted) -> None:
        """Releases groups as a live session does, but keeps what any later sharing of the budget may want."""
        super().release(awaited, lambda: {i: [(one, self.most) for one in seen] for i, seen in self._seen.items()})

    def conclude(self, view: GroupView, scores: Scores, probe: Probe | None) -> ScoredGroup:
        """Builds the scored group as a live session does, and keeps the probe."""
        logits = None
        if probe is not None and probe.response_logits is not None:
            self._vocabulary = probe.logits.shape[1]
            logits = CompactLogits.of(probe.logits, always=probe.option_ids)  # the response is the likeliest anyway
        self._entries.append(
            Entry(
                question=view.question.id,
                group=view.group.index,
                scores=scores,
                logits=logits,
                response=probe.response if probe is not None else (),
                option_ids=probe.option_ids.cpu() if probe is not None else None,
            )
        )
        return super().conclude(view, scores, probe)

    def secure(self, wanted: dict[int, Tensor]) -> None:
        """Makes sure, as a live session does, that the wanted tokens are there; then writes the recording."""
        super().secure(wanted)
        with self.ledger.stage("record", [question.id for question in self.questions]):
            parked = {
                i: Parked(shown.encoded, shown.index, shown.tokens, self._damaged.get(i, 0))
                for i, shown in self._shown.items()
            }
            Recording(
                timeline=self.timeline,
                groups=self.groups,
                questions=self.questions,
                size=self.size,
                tokens_per_tick=self.tokens_per_tick,
                most=self.most,
                vocabulary=self._vocabulary,
                entries=self._entries,
                parked=parked,
            ).write(self.file)
