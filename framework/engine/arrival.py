"""Encoding on arrival: ticks go through the vision tower in file order while later ones are decoded, and groups are
formed of embeddings.

An interleaved group is complete when nearly the whole file is decoded. So where every group is looked at in the end,
and nobody looks at pixels, waiting for whole groups is a loss. A tick is encoded once; its tokens wait in a spool, as
bytes, until the group comes that it belongs to. Knows no file and no model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import fields

import torch
from torch import Tensor

from framework.core.backbone import Backbone
from framework.core.interrupt import heed
from framework.core.types import Group, Tokens
from framework.engine.session import Setup
from framework.video.spool import Spool
from framework.video.stream import SPOOL_RAM_BYTES

CHUNKS_PER_GROUP = 4  # ticks encoded together: what is left to encode when the last one is decoded


def reads(setup: Setup, groups: Sequence[Group], size: tuple[int, int]) -> Sequence[Group]:
    """Returns what is asked of the decoder at a time: chunks of neighbouring ticks where ticks are encoded on arrival.

    That is where the tower has a device of its own, every group is looked at, with frames of which only the tokens are
    wanted, and groups are no stretches of the video (those are complete as soon as they are decoded). Elsewhere the
    result is `groups` itself.
    `size`: height and width of a frame, in pixels.
    """
    needs, ticks = setup.needs, torch.cat([group.ticks for group in groups]).unique()
    if not apart(setup.backbone) or not needs.frames or needs.pixels or setup.scorer.before_tower or setup.stops:
        return groups
    if all(torch.equal(group.ticks, _between(ticks, group)) for group in groups):
        return groups
    if not _tick_by_tick(setup, ticks[:2], size):
        return groups
    most = -(-max(map(len, groups)) // CHUNKS_PER_GROUP)
    return [Group(index, chunk) for index, chunk in enumerate(ticks.split(most))]


def apart(backbone: Backbone) -> bool:
    """Says whether a backbone computes on another device than the decoder. On one processor they only take turns."""
    return backbone.home.type != "cpu"


class Arrival:
    """Gives the tokens of groups, of chunks that `encode` makes in their order; no more chunks than a group needs.

    `ram_bytes`: how many bytes of tokens may wait in memory; what is beyond waits in a temporary file.
    """

    def __init__(
        self,
        groups: Sequence[Group],
        chunks: Sequence[Group],
        encode: Callable[[Group], Tokens],
        ram_bytes: int = SPOOL_RAM_BYTES,
    ) -> None:
        self._wishes = Counter(tick for group in groups for tick in group.ticks.tolist())  # groups that need it
        self._chunks, self._encode, self._ram_bytes = iter(chunks), encode, ram_bytes
        self._like: dict[str, Tensor] = {}  # the fields of a tick's tokens, without their values
        self._device = torch.device("cpu")
        self._spool: Spool | None = None

    def tokens(self, group: Group) -> Tokens:
        """Returns the tokens of `group` where they were made, tick by tick; of each group once.

        Raises what `encode` raises.
        """
        wanted = group.ticks.tolist()
        while self._spool is None or any(tick not in self._spool for tick in wanted):
            heed()
            chunk = next(self._chunks, None)
            if chunk is None:
                raise ValueError(f"group {group.index} was not announced, or was handed out already")
            self._keep(chunk, self._encode(chunk))
        found = {name: self._joined(name, wanted) for name in self._like}
        for tick in wanted:
            self._wishes[tick] -= 1
            if self._wishes[tick] == 0:
                self._spool.drop(tick)
        own = {field.name: found.pop(field.name) for field in fields(Tokens) if field.name != "extra"}
        return Tokens(**own, extra=found)

    def close(self) -> None:
        """Releases the spool. May be called twice."""
        if self._spool is not None:
            self._spool.close()

    def _keep(self, chunk: Group, tokens: Tokens) -> None:
        """Puts the tokens into the spool, one item per tick: the bytes of all fields, one after the other."""
        many = len(chunk)
        self._device = tokens.tick.device
        columns = {name: value.cpu().unflatten(0, (many, -1)) for name, value in _columns(tokens).items()}
        if self._spool is None:
            self._like = {name: value[0].to("meta") for name, value in columns.items()}
            size_bytes = sum(value.nbytes for value in self._like.values())
            self._spool = Spool((size_bytes,), self._ram_bytes, len(self._wishes))
        rows = torch.cat([_as_bytes(value).view(many, -1) for value in columns.values()], 1)
        for tick, row in zip(chunk.ticks.tolist(), rows, strict=True):
            self._spool.put(tick, row)

    def _joined(self, name: str, ticks: Sequence[int]) -> Tensor:
        """One field of the tokens of these ticks, on their device."""
        assert self._spool is not None
        like, start = self._like[name], 0
        for before, value in self._like.items():
            if before == name:
                break
            start += value.nbytes
        whole = torch.empty(len(ticks), *like.shape, dtype=like.dtype, pin_memory=self._device.type == "cuda")
        for row, tick in zip(_as_bytes(whole).view(len(ticks), -1), ticks, strict=True):
            row.copy_(self._spool.get(tick)[start : start + like.nbytes])
        return whole.flatten(0, 1).to(self._device, non_blocking=True)


def _columns(tokens: Tokens) -> dict[str, Tensor]:
    return {**{f.name: getattr(tokens, f.name) for f in fields(Tokens) if f.name != "extra"}, **tokens.extra}


def _as_bytes(values: Tensor) -> Tensor:
    """The same memory as u8 [bytes], where it is contiguous."""
    return values.contiguous().view(-1).view(torch.uint8)


def _between(ticks: Tensor, group: Group) -> Tensor:
    """Those of all ticks that lie between the first and the last one of a group."""
    return ticks[(ticks >= group.ticks[0]) & (ticks <= group.ticks[-1])]


def _tick_by_tick(setup: Setup, ticks: Tensor, size: tuple[int, int]) -> bool:
    """Whether the tokens of a tick lie together, and there are as many of each tick."""
    found = setup.backbone.layout(ticks, *size).tick
    return torch.equal(found, ticks.repeat_interleave(len(found) // len(ticks)))
