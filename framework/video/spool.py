"""What was decoded, or encoded, before its group is looked at: in RAM up to a limit, then in a memory-mapped temporary
file.

The file has no name from its first moment on (where the system allows it), so it is gone whatever ends the process. Its
space is reserved before it is written: a full disk is an error and not a crash. RAM comes as one mapping and not item
by item, so that it goes back to the system at once. Knows nothing of videos.
"""

from __future__ import annotations

import errno
import heapq
import mmap
import os
import tempfile
from typing import IO

import torch
from torch import Tensor

BLOCK_BYTES = 2**26


class Spool:
    """Holds u8 tensors of one shape by number.

    `ram_bytes`: how much stays in RAM. `most`: how many there can be at once.
    """

    def __init__(self, shape: tuple[int, ...], ram_bytes: int, most: int) -> None:
        self._shape = shape
        self._bytes = torch.Size(shape).numel()
        self._in_ram = min(ram_bytes // self._bytes, most)
        self._in_file = most - self._in_ram
        self._places: dict[int, int] = {}  # number -> place; the first `_in_ram` places are in RAM
        self._free: list[int] = []  # a heap: RAM is used first
        self._ram: mmap.mmap | None = None
        self._map: mmap.mmap | None = None
        self._file: IO[bytes] | None = None
        self.file_bytes = 0  # reserved in the temporary file so far

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, number: int) -> bool:
        return number in self._places

    def put(self, number: int, item: Tensor) -> None:
        """Keeps a copy of `item` (u8, the spool's shape)."""
        place = heapq.heappop(self._free) if self._free else len(self._places)
        self._view(place).copy_(item.reshape(-1))
        self._places[number] = place

    def get(self, number: int) -> Tensor:
        """Returns the item where it lies. What is read there after it was dropped may be another one."""
        return self._view(self._places[number]).view(self._shape)

    def drop(self, number: int) -> None:
        """Drops the item; its room is used again."""
        heapq.heappush(self._free, self._places.pop(number))

    def close(self) -> None:
        """Releases RAM and the file. May be called twice."""
        self._places.clear()
        self._free.clear()
        self._ram = self._map = None
        if self._file is not None:
            self._file.close()
            self._file = None

    def _view(self, place: int) -> Tensor:
        """Bytes of one place, u8 [bytes]."""
        if place < self._in_ram:
            if self._ram is None:
                self._ram = mmap.mmap(-1, self._in_ram * self._bytes)
            return self._slice(self._ram, place)
        if self._file is None or self._map is None:
            self._file = tempfile.TemporaryFile(prefix="tokensieve-")  # noqa: SIM115 - closed by close()
            self._file.truncate(self._in_file * self._bytes)
            self._map = mmap.mmap(self._file.fileno(), self._in_file * self._bytes)
        place -= self._in_ram
        while self.file_bytes < (place + 1) * self._bytes:
            self._reserve(self._file, min(BLOCK_BYTES, self._in_file * self._bytes - self.file_bytes))
        return self._slice(self._map, place)

    def _slice(self, room: mmap.mmap, place: int) -> Tensor:
        return torch.frombuffer(room, dtype=torch.uint8, count=self._bytes, offset=place * self._bytes)

    def _reserve(self, file: IO[bytes], size_bytes: int) -> None:
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), self.file_bytes, size_bytes)
            else:
                os.pwrite(file.fileno(), bytes(size_bytes), self.file_bytes)
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}:
                raise
            room = f"{tempfile.gettempdir()} has no room for {size_bytes / 2**20:.0f} MiB more of frames or tokens"
            hint = "set TMPDIR to a larger disk, or look at fewer frames (frames=...)"
            raise OSError(error.errno, f"{room}; {hint}") from error
        self.file_bytes += size_bytes
