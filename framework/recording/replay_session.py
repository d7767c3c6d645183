"""Recorded probes in place of a video: a pipeline that looks here runs no vision tower and no pass over a group.

An error says what to change where a recording lacks something: groups that were never visited, tokens beyond the
recorded budget, questions asked otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from framework.core.errors import UsageError
from framework.core.types import Group, Layout, Question, ScoredGroup, Tokens
from framework.core.view import Probe
from framework.engine.ledger import Ledger
from framework.engine.session import Session, Setup, Wanted
from framework.recording.file import RecordingFile
from framework.recording.format import Entry, fingerprint


class NotRecorded(LookupError):
    """Says that questions failed, or were not reached, when the others were recorded."""


class Recordings:
    """Holds all recordings of a folder. Its `open` is a pipeline's `open_session`.

    Raises UsageError when there are none.
    """

    def __init__(self, folder: Path) -> None:
        headers = {path: RecordingFile(path).header for path in sorted(folder.glob("*.safetensors"))}
        if not headers:
            raise UsageError(f"{folder} holds no recorded probes: sieve eval with record=true makes them")
        self._of = {question: path for path, header in headers.items() for question in header["questions"]}
        limits = [header["most"] for header in headers.values() if header["most"] is not None]
        self.most = min(limits, default=None)  # tokens of a group that a question could keep; None: all were kept
        self.tokens_per_tick = {header["tokens_per_tick"] for header in headers.values()}  # of all videos
        self.logits = all(header["vocabulary"] for header in headers.values())  # whether the probes have logits

    def holds_any(self, questions: Sequence[str]) -> bool:
        """Says whether any of `questions` (ids) was recorded."""
        return any(question in self._of for question in questions)

    def files(self, questions: Sequence[str]) -> list[Path]:
        """Returns the files in which any of `questions` (ids) was recorded."""
        return sorted({self._of[question] for question in questions if question in self._of})

    def open(self, setup: Setup, path: str, questions: Sequence[Question], ledger: Ledger) -> Session:
        """Opens the recording of the video at `path`, which need not be there.

        Raises NotRecorded when some question has none. Raises UsageError for a question that was asked in other words.
        """
        if missing := [question.id for question in questions if question.id not in self._of]:
            raise NotRecorded(f"the probes of {', '.join(missing)} were not recorded")
        opened = {file: RecordingFile(file) for file in {self._of[question.id] for question in questions}}
        files = {question.id: opened[self._of[question.id]] for question in questions}
        for question in questions:
            if files[question.id].header["questions"][question.id] != fingerprint(question):
                raise UsageError(f"{question.id} was asked in other words when {files[question.id].path} was recorded")
        with ledger.stage("timeline", list(files)):
            first = files[questions[0].id]
            timeline, groups = first.timeline(path), first.groups
        return ReplaySession(setup, timeline, groups, questions, ledger, files=files)


@dataclass
class ReplaySession(Session):
    """Shows the groups of one video as they were recorded."""

    files: dict[str, RecordingFile]  # by question; one and the same where they shared the passes
    _visited: dict[int, set[str]] = field(default_factory=dict, init=False)  # group index -> questions

    def at(self, group: Group, asking: Sequence[Question]) -> list[ScoredGroup]:
        """Returns what `group` was to each of the questions `asking`.

        The scores are the recorded ones. This pipeline's relevance estimator reads the recorded probe. Raises
        UsageError for a group that was never visited.
        """
        size = self.files[asking[0].id].header["size"]
        layout = self.setup.backbone.layout(group.ticks, *size)
        seen = []
        for question in asking:
            entry, vocabulary = self._entry(question, group), self.files[question.id].header["vocabulary"]
            probe = _probe(entry, vocabulary) if self.setup.needs.logits else None
            scorer = self.setup.scorer
            probed = probe is not None and (scorer.before_tower or scorer.before_probe)
            usable = entry.scores.values > -torch.inf
            view = self.view(group, question, layout[usable] if probed else layout, probe=probe)
            with self.ledger.stage("score", [question.id], len(layout)):
                seen.append(self.conclude(view, entry.scores, probe))
        self._visited.setdefault(group.index, set()).update(question.id for question in asking)
        return seen

    def release(self, awaited: set[int], wanted: Wanted) -> None:
        """Releases nothing: a replay holds no groups."""

    def secure(self, wanted: dict[int, Tensor]) -> None:
        """Loads nothing: all tokens that were recorded are on disk already."""

    def held(self, group: Group, places: Tensor) -> tuple[Tokens, Tensor]:
        """Returns the recorded tokens, and the rows of those at `places` (i64 [K]) among them.

        Raises UsageError when some were not kept.
        """
        for file in dict.fromkeys(self.files.values()):
            kept, rows = file.parked(group.index)
            at = torch.searchsorted(kept, places)
            if len(kept) and bool((kept[at.clamp(max=len(kept) - 1)] == places).all()):
                return file.tokens(rows), at
        raise UsageError(
            f"group {group.index} of {self.timeline.path}: not all of its {len(places)} best tokens were recorded; "
            "record with a larger budget, or with the allocator, refiner and answerer that are replayed"
        )

    def encoded(self, group: Group) -> int:
        """Counts the tokens of the group that went through the vision tower when it was recorded."""
        return max(self.files[question].encoded[group.index] for question in self._visited[group.index])

    def damaged_ticks(self, group: Group) -> int:
        """Counts the ticks of the group that showed damaged pictures when it was recorded."""
        return max(self.files[question].damaged[group.index] for question in self._visited[group.index])

    @property
    def tick_layout(self) -> Layout:
        """Returns the grid of tokens that one tick made when it was recorded."""
        size = next(iter(self.files.values())).header["size"]
        return self.setup.backbone.layout(torch.zeros(1, dtype=torch.long), *size)

    def close(self) -> None:
        """Closes the mapped files."""
        self.files = {}

    def _entry(self, question: Question, group: Group) -> Entry:
        file = self.files[question.id]
        with self.ledger.stage("replay", [question.id]):
            entry = file.entry(question.id, group.index)
        if entry is None:
            raise UsageError(
                f"group {group.index} of {self.timeline.path} was never visited for {question.id} when {file.path} was "
                "recorded; record with stopping=never"
            )
        return entry


def _probe(entry: Entry, vocabulary: int) -> Probe:
    """The probe as far as it was kept: its logits, not its attention."""
    assert entry.logits is not None and entry.option_ids is not None, "checked before anything was opened"
    return Probe(
        rows={}, option_ids=entry.option_ids, response_logits=entry.logits.full(vocabulary), response=entry.response
    )
