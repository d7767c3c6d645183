"""What is kept of the probes of one video, and how it is written: one safetensors file, flat tensors and a JSON header.

docs/replay.md lists them; `file.py` reads them. A file appears under its name only when it is complete.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from framework.core.types import Group, Question, Scores, Timeline, Tokens
from framework.core.value import Value
from framework.recording.logits import CompactLogits

FORMAT = 1
PLACE = ("tick", "row", "column", "seconds", "embeddings")  # fields of tokens; `extra` comes on top


@dataclass(frozen=True, repr=False)
class Entry(Value):
    """Describes what one visited group was to one question."""

    question: str  # id
    group: int
    scores: Scores  # values f32 [N], and the scorer's own signals
    logits: CompactLogits | None = None
    response: tuple[int, ...] = ()
    option_ids: Tensor | None = None  # i64 [O]


@dataclass(frozen=True, repr=False)
class Parked(Value):
    """Holds the tokens of one visited group that some question may keep."""

    encoded: int  # tokens of the group that went through the vision tower
    places: Tensor  # i64 [K], ascending, in the group's layout
    tokens: Tokens | None  # K tokens on the CPU; None: nothing was encoded
    damaged: int = 0  # ticks of the group whose pictures were decoded from damaged data


@dataclass(frozen=True, repr=False)
class Recording(Value):
    """Holds everything about one video, as it is written to disk."""

    timeline: Timeline
    groups: Sequence[Group]
    questions: Sequence[Question]
    size: tuple[int, int]  # height and width of a resized frame
    tokens_per_tick: int
    most: int  # tokens of one group that a question could keep at most
    vocabulary: int  # 0: no logits
    entries: Sequence[Entry]
    parked: Mapping[int, Parked]  # by group index

    def write(self, path: Path) -> None:
        """Writes the recording to `path`, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        names = sorted({name for entry in self.entries for name in entry.scores.signals})
        header: dict[str, Any] = {
            "format": FORMAT,
            "path": self.timeline.path,
            "size": self.size,
            "tokens_per_tick": self.tokens_per_tick,
            "most": None if self._whole() else self.most,
            "vocabulary": self.vocabulary,
            "questions": {question.id: fingerprint(question) for question in self.questions},
            "signals": names,
        }
        tensors = {**self._video(), **self._entries(names), **self._tokens()}
        header["sums"] = {name: [checksum(one) for one in _parts(name, tensors)] for name in tensors}
        told = json.dumps(header)
        part = path.with_name(f".{path.name}.part")  # what a kill leaves is overwritten by the next attempt
        part.touch()
        mode = part.stat().st_mode  # safetensors makes files that only their owner may read
        try:
            _save({name: tensor.contiguous() for name, tensor in tensors.items()}, part, told)
            part.chmod(mode)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def _whole(self) -> bool:
        """Whether every token that a question could ever keep is there, however large the budget."""
        scores = ((entry.scores.values, self.parked[entry.group].places) for entry in self.entries)
        usable = (((values > -torch.inf).nonzero()[:, 0], places) for values, places in scores)
        return all(bool(torch.isin(places, there).all()) for places, there in usable)

    def _video(self) -> dict[str, Tensor]:
        encoded = [self.parked[group.index].encoded if group.index in self.parked else 0 for group in self.groups]
        hints = [float("nan") if group.hint is None else group.hint for group in self.groups]
        damaged = [self.parked[group.index].damaged if group.index in self.parked else 0 for group in self.groups]
        return {
            "timeline.seconds": self.timeline.seconds,
            "timeline.frames": self.timeline.frames,
            **_flat("groups.ticks", [group.ticks for group in self.groups]),
            "groups.hint": torch.tensor(hints, dtype=torch.float64),
            "groups.encoded": torch.tensor(encoded),
            **({"groups.damaged": torch.tensor(damaged)} if any(damaged) else {}),
        }

    def _entries(self, names: Sequence[str]) -> dict[str, Tensor]:
        number = {question.id: i for i, question in enumerate(self.questions)}
        signals = [[entry.scores.signals.get(name, float("nan")) for name in names] for entry in self.entries]
        options = {entry.question: entry.option_ids for entry in self.entries if entry.option_ids is not None}
        none = torch.zeros(0, dtype=torch.long)
        tensors = {
            "cells.question": torch.tensor([number[entry.question] for entry in self.entries]),
            "cells.group": torch.tensor([entry.group for entry in self.entries]),
            "cells.signals": torch.tensor(signals, dtype=torch.float64).view(len(self.entries), len(names)),
            **_flat("scores", [entry.scores.values for entry in self.entries]),
            **_flat("response", [torch.tensor(entry.response, dtype=torch.long) for entry in self.entries]),
            **_flat("options", [options.get(question.id, none) for question in self.questions]),
        }
        errors = [entry.scores.errors for entry in self.entries if entry.scores.errors is not None]
        if errors and len(errors) == len(self.entries):
            tensors |= _flat("errors", errors)
        logits = [entry.logits for entry in self.entries if entry.logits is not None]
        if len(logits) == len(self.entries):
            tensors |= _flat("logits.values", [one.values for one in logits])
            if logits[0].ids is not None:
                tensors["logits.ids"] = torch.cat([one.ids for one in logits if one.ids is not None])
                tensors["logits.tail"] = torch.cat([one.tail for one in logits if one.tail is not None])
        return tensors

    def _tokens(self) -> dict[str, Tensor]:
        kept = [self.parked.get(group.index) for group in self.groups]
        there = [one.tokens for one in kept if one is not None and one.tokens is not None]
        if not there:
            return {}
        none = torch.zeros(0, dtype=torch.long)
        together = Tokens.cat(there)
        return {
            **_flat("tokens.place", [none if one is None or one.tokens is None else one.places for one in kept]),
            **{f"tokens.{name}": getattr(together, name) for name in PLACE},
            **{f"tokens.extra.{name}": value for name, value in together.extra.items()},
        }


def checksum(data: Tensor | str) -> int:
    """Returns a number that changes with every bit of a tensor, its type and its shape, or of a text."""
    if isinstance(data, str):
        return zlib.crc32(data.encode())
    told = zlib.crc32(f"{data.dtype} {tuple(data.shape)}".encode())
    return zlib.crc32(data.contiguous().reshape(-1).view(torch.uint8).numpy().data, told)


def offsets_of(name: str, there: Collection[str]) -> str | None:
    """Returns the tensor that says where the parts of another one begin; None for a tensor that is read whole.

    `there` are the names of all tensors.
    """
    if name.endswith(".offsets"):
        return None
    owner = "logits.values" if name.startswith("logits.") else "tokens.place" if name.startswith("tokens.") else name
    return offsets if (offsets := f"{owner}.offsets") in there else None


def _parts(name: str, tensors: Mapping[str, Tensor]) -> Sequence[Tensor]:
    offsets = offsets_of(name, tensors)
    return [tensors[name]] if offsets is None else tensors[name].split(tensors[offsets].diff().tolist())


def _save(tensors: dict[str, Tensor], path: Path, told: str) -> None:
    """Write the file. An error of the disk is an OSError again, as from any other file."""
    try:
        save_file(tensors, path, {"probes": told, "sum": str(checksum(told))})
    except SafetensorError as error:
        found = re.search(r"os error (\d+)", str(error))
        number = int(found.group(1)) if found else errno.EIO
        raise OSError(number, os.strerror(number), str(path)) from error


def fingerprint(question: Question) -> str:
    """Returns twelve characters that name all that the model was asked."""
    told = (question.prompt, question.bare, question.options, question.cue, question.max_new_tokens)
    return hashlib.sha256(repr(told).encode()).hexdigest()[:12]


def _flat(name: str, parts: Sequence[Tensor]) -> dict[str, Tensor]:
    """Tensors one after the other, and where each begins."""
    sizes = torch.tensor([0, *(len(part) for part in parts)])
    return {name: torch.cat(list(parts)), f"{name}.offsets": sizes.cumsum(0)}
