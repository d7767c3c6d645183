"""Reading the recorded probes of one video, in slices, so that a replay of few groups reads few bytes."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from framework.core.errors import UsageError
from framework.core.types import Group, Scores, Timeline, Tokens
from framework.recording.format import FORMAT, PLACE, Entry
from framework.recording.logits import CompactLogits


class RecordingFile:
    """Reads a recording on disk. Raises UsageError for a file that is none, or one of another format."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file: Any = safe_open(path, framework="pt")
            self.header: dict[str, Any] = json.loads((self._file.metadata() or {})["probes"])
        except Exception as error:  # of another library, for whatever is wrong with the file
            raise UsageError(f"{path} is no recording of probes ({type(error).__name__}: {error})") from error
        if self.header["format"] != FORMAT:
            raise UsageError(f"{path} has format {self.header['format']}, expected {FORMAT}: record again")
        self._names = set(self._file.keys())

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
            **{name: self._file.get_slice(f"tokens.{name}")[rows] for name in PLACE},
            extra={name: self._file.get_slice(key)[rows] for name, key in extra.items()},
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
        ids, tail = (self._file.get_slice(name)[rows] for name in ("logits.ids", "logits.tail"))
        return CompactLogits(values, ids, tail)

    def _whole(self, name: str) -> Tensor:
        return self._file.get_tensor(name)

    def _span(self, name: str, at: int) -> slice:
        if name not in self._offsets:
            self._offsets[name] = self._whole(f"{name}.offsets").tolist()
        return slice(*self._offsets[name][at : at + 2])

    @cached_property
    def _offsets(self) -> dict[str, list[int]]:
        return {}

    def _slice(self, name: str, at: int) -> Tensor:
        return self._file.get_slice(name)[self._span(name, at)]
