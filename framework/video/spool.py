"""Frames that were decoded before their group is looked at: in RAM up to a limit, then in a memory-mapped temporary
file.

The file has no name from its first moment on (where the system allows it), so it is gone whatever ends the process.
Space is reserved before it is written: a full disk is an error and not a crash. Knows nothing of videos.
"""

from __future__ import annotations

import errno
import mmap
import os
import tempfile
from typing import IO

import torch
from torch import Tensor

BLOCK_BYTES = 2**26


class Spool:
    """Holds u8 tensors of one shape by number. `ram_bytes`: how much stays in RAM; `most`: how many there can be at
    once."""

    def __init__(self, shape: tuple[int, ...], ram_bytes: int, most: int) -> None:
        self._shape = shape
        self._bytes = max(1, torch.Size(shape).numel())
        self._in_ram = ram_bytes // self._bytes
        self._most = most
        self._ram: dict[int, Tensor] = {}
        self._places: dict[int, int] = {}  # number -> place in the file
        self._free: list[int] = []
        self._reserved = 0
        self._file: IO[bytes] | None = None
        self._map: mmap.mmap | None = None

    def __len__(self) -> int:
        return len(self._ram) + len(self._places)

    def __contains__(self, number: int) -> bool:
        return number in self._ram or number in self._places

    @property
    def file_bytes(self) -> int:
        """Size of the temporary file so far."""
        return self._reserved

    def put(self, number: int, item: Tensor) -> None:
        """Keeps a copy of `item` (u8, the spool's shape)."""
        if len(self._ram) < self._in_ram:
            self._ram[number] = item.clone()
            return
        place = self._free.pop() if self._free else len(self._places)
        self._view(place).copy_(item.reshape(-1))
        self._places[number] = place

    def get(self, number: int) -> Tensor:
        """The item, valid until the next call."""
        if number in self._ram:
            return self._ram[number]
        return self._view(self._places[number]).clone().reshape(self._shape)

    def drop(self, number: int) -> None:
        """Forgets the item; its room is used again."""
        if number in self._ram:
            del self._ram[number]
        else:
            self._free.append(self._places.pop(number))

    def close(self) -> None:
        """Frees RAM and the file. May be called twice."""
        self._ram.clear()
        self._places.clear()
        if self._map is not None:
            self._map.close()
            self._map = None
        if self._file is not None:
            self._file.close()
            self._file = None

    def _view(self, place: int) -> Tensor:
        """Bytes of one place of the file: u8 [bytes]."""
        if self._file is None or self._map is None:
            self._file = tempfile.TemporaryFile(prefix="tokensieve-")  # noqa: SIM115 - closed by close()
            self._file.truncate(self._most * self._bytes)
            self._map = mmap.mmap(self._file.fileno(), self._most * self._bytes)
        end = (place + 1) * self._bytes
        while self._reserved < end:
            self._reserve(min(max(BLOCK_BYTES, end - self._reserved), self._most * self._bytes - self._reserved))
        return torch.frombuffer(self._map, dtype=torch.uint8, count=self._bytes, offset=place * self._bytes)

    def _reserve(self, size: int) -> None:
        assert self._file is not None
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(self._file.fileno(), self._reserved, size)
            else:
                os.pwrite(self._file.fileno(), bytes(size), self._reserved)
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}:
                raise
            room = f"{tempfile.gettempdir()} has no room for {size / 2**20:.0f} MiB more of decoded frames"
            raise OSError(
                error.errno, f"{room}; set TMPDIR to a larger disk, or look at fewer frames (frames=...)"
            ) from error
        self._reserved += size
