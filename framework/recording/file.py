"""Reading the recorded probes of one video, in slices, so that a replay of few groups reads few bytes."""

from __future__ import annotations

import json
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from framework.core.errors import UsageError
from framework.core.types import Group, Scores, Timeline, Tokens
from framework.recording.format import FORMAT, PLACE, Entry, checksum, offsets_of
from framework.recording.logits import CompactLogits

REPAIR = "remove it, and the command that recorded it looks at its video again"


class RecordingFile:
    """Reads a recording on disk. Raises UsageError for a file that is none, is damaged, or is of another format.

    What is read is held against its checksum; recordings of before 0.1.0 may have none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file: Any = safe_open(path, framework="pt")
            told = self._file.metadata() or {}
            self.header: dict[str, Any] = json.loads(told["probes"])
            self._names = set(self._file.keys())
            whole = "sums" not in self.header or told["sum"] == str(checksum(told["probes"]))
            if not whole or set(self.header.get("sums", self._names)) != self._names:
                raise ValueError("its header is damaged")
        except Exception as error:  # of another library, for whatever is wrong with the file
            raise UsageError(f"{path} is no recording of probes ({type(error).__name__}: {error}); {REPAIR}") from error
        if self.header["format"] != FORMAT:
            raise UsageError(f"{path} has format {self.header['format']}, expected {FORMAT}: record again")

    @cached_property
    def groups(self) -> list[Group]:
        """Lists all groups of the video, visited or not."""
        hints = self._whole("groups.hint").tolist()
        ticks = self._whole("groups.ticks").split(self._whole("groups.ticks.offsets").diff().tolist())
        return [
            Group(i, one, None if hint != hint else hint)
            for i, (one, hint) in enumerate(zip(ticks, hints, strict=True))
        ]

    @cached_property
    def encoded(self) -> list[int]:
        """Returns, per group, how many tokens went through the vision tower."""
        return self._whole("groups.encoded").tolist()

    @cached_property
    def damaged(self) -> list[int]:
        """Returns, per group, how many ticks showed pictures decoded from damaged data."""
        there = "groups.damaged" in self._names
        return self._whole("groups.damaged").tolist() if there else [0] * len(self.groups)

    def timeline(self, path: str) -> Timeline:
        """Returns the recorded timeline, for the video file that is now at `path`."""
        return Timeline(path, self._whole("timeline.seconds"), self._whole("timeline.frames"))

    def entry(self, question: str, group: int) -> Entry | None:
        """Returns what a group was to a question; None when it was never visited."""
        at = self._places.get((question, group))
        if at is None:
            return None
        signals = dict(zip(self.header["signals"], self._signals[at].tolist(), strict=True))
        return Entry(
            question=question,
            group=group,
            scores=Scores(
                self._slice("scores", at),
                {name: value for name, value in signals.items() if value == value},
                self._slice("errors", at) if "errors" in self._names else None,
            ),
            logits=self._logits(at),
            response=tuple(self._slice("response", at).tolist()),
            option_ids=self._slice("options", list(self.header["questions"]).index(question)),
        )

    def parked(self, group: int) -> tuple[Tensor, slice]:
        """Returns (places i64 [K], rows for `tokens`) of the parked tokens of a group."""
        if "tokens.place" not in self._names:
            return torch.zeros(0, dtype=torch.long), slice(0, 0)
        return self._slice("tokens.place", group), self._span("tokens.place", group)

    def tokens(self, rows: slice) -> Tokens:
        """Reads the tokens at `rows`, as `parked` gives them."""
        extra = {name: f"tokens.extra.{name}" for name in self._extra}
        return Tokens(
            **{name: self._rows(f"tokens.{name}", rows) for name in PLACE},
            extra={name: self._rows(key, rows) for name, key in extra.items()},
        )

    @cached_property
    def _extra(self) -> list[str]:
        start = "tokens.extra."
        return sorted(name.removeprefix(start) for name in self._names if name.startswith(start))

    @cached_property
    def _places(self) -> dict[tuple[str, int], int]:
        questions = list(self.header["questions"])
        pairs = zip(self._whole("cells.question").tolist(), self._whole("cells.group").tolist(), strict=True)
        return {(questions[question], group): at for at, (question, group) in enumerate(pairs)}

    @cached_property
    def _signals(self) -> Tensor:
        return self._whole("cells.signals")

    def _logits(self, at: int) -> CompactLogits | None:
        if "logits.values" not in self._names:
            return None
        values = self._slice("logits.values", at)
        if "logits.ids" not in self._names:
            return CompactLogits(values)
        rows = self._span("logits.values", at)
        ids, tail = (self._rows(name, rows) for name in ("logits.ids", "logits.tail"))
        return CompactLogits(values, ids, tail)

    def _whole(self, name: str) -> Tensor:
        found = self._read(name, slice(None))
        offsets = offsets_of(name, self._names)
        parts = [found] if offsets is None else found.split(self._whole(offsets).diff().tolist())
        for at, part in enumerate(parts):
            self._check(name, at, part)
        return found

    def _rows(self, name: str, rows: slice) -> Tensor:
        """The rows of one part, as `_span` gives them."""
        offsets = offsets_of(name, self._names)
        assert offsets is not None
        found = self._read(name, rows)
        self._check(name, self._at(offsets.removesuffix(".offsets"))[rows.start, rows.stop], found)
        return found

    def _read(self, name: str, rows: slice) -> Tensor:
        try:
            found: Tensor = self._file.get_slice(name)[rows]
        except SafetensorError as error:
            raise UsageError(f"{self.path} is damaged: {name} cannot be read ({error}); {REPAIR}") from error
        return found

    def _check(self, name: str, at: int, part: Tensor) -> None:
        """UsageError when a part is not what was written."""
        sums = self.header.get("sums")
        if sums is not None and sums[name][at] != checksum(part):
            raise UsageError(f"{self.path} is damaged: {name} does not fit its checksum; {REPAIR}")

    def _span(self, name: str, at: int) -> slice:
        return slice(*self._offsets(name)[at : at + 2])

    def _offsets(self, name: str) -> list[int]:
        if name not in self._kept:
            self._kept[name] = self._whole(f"{name}.offsets").tolist()
        return self._kept[name]

    def _at(self, name: str) -> dict[tuple[int, int], int]:
        """Where each part of a tensor comes among all parts; empty ones are all alike."""
        if name not in self._order:
            offsets = self._offsets(name)
            self._order[name] = {pair: at for at, pair in enumerate(pairwise(offsets))}
        return self._order[name]

    @cached_property
    def _kept(self) -> dict[str, list[int]]:
        return {}

    @cached_property
    def _order(self) -> dict[str, dict[tuple[int, int], int]]:
        return {}

    def _slice(self, name: str, at: int) -> Tensor:
        return self._rows(name, self._span(name, at))
