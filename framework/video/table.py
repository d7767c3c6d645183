"""The frames of a file in order of presentation, as far as its packets tell. Knows no library."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PacketTable:
    """Describes the frames of a file in order of presentation."""

    seconds: NDArray[np.float64]  # [n], from the first frame on
    bytes: NDArray[np.int64]  # [n], compressed size
    keyframe: NDArray[np.bool_]  # [n]
    stamps: NDArray[np.int64]  # [n], the file's own presentation times, in units of its time base
    decode_order: NDArray[np.int64]  # [n], place of the frame's packet among all packets
    last_seconds: float  # how long the last frame is shown
    container: str  # name of the file format, e.g. "matroska,webm"
    clocks: NDArray[np.int64]  # [n], when the frame's packet is decoded, as far as that is known: a player jumps by it
    clean: NDArray[np.bool_]  # [n], a key frame that needs no earlier frame for anything shown after it
    damaged: NDArray[np.bool_]  # [n], depends on a packet that is known to be damaged
    counted: bool  # times do not tell the frames apart: a frame is known by its packet, counted from the file's start

    def __len__(self) -> int:
        return len(self.seconds)

    @property
    def open_gops(self) -> bool:
        """Says whether frames shown before a key frame come after it in the file.

        Such frames cannot be decoded from that key frame.
        """
        key = np.where(self.keyframe, self.decode_order, self.decode_order.max() + 1)
        next_key = np.minimum.accumulate(key[::-1])[::-1]  # the earliest packet among the key frames not shown before
        return bool((self.decode_order > next_key).any())

    @property
    def first_packet(self) -> int:
        """Returns the packet from which on the file is decoded: before it there is no frame's key frame."""
        return int(self.whole_from.min())

    @property
    def recovery_points(self) -> bool:
        """Says whether a frame is marked as a key frame although the decoder may need earlier ones."""
        return bool((self.keyframe & ~self.clean).any())

    @property
    def whole_from(self) -> NDArray[np.int64]:
        """Returns the packet from which on damage matters to each frame: i64 [n], that of its key frame.

        A picture that is refreshed bit by bit is whole one key frame later than that.
        """
        keys = np.flatnonzero(self.keyframe)
        if not len(keys):
            return np.zeros(len(self), np.int64)
        place = np.searchsorted(keys, np.arange(len(self)), side="right") - 1
        place -= ~self.clean[keys[place]]
        return np.where(place >= 0, self.decode_order[keys[place]], 0)

    @property
    def whole_until(self) -> NDArray[np.int64]:
        """Returns the packet of the next key frame after each frame's own packet, or the number after all: i64 [n]."""
        keys = np.append(np.sort(self.decode_order[self.keyframe]), self.decode_order.max() + 1)
        return keys[np.searchsorted(keys[:-1], self.decode_order, side="right")]

    def spoilt(self, packets: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Says which frames depend on one of these damaged `packets`, which ascend: bool [n].

        A frame depends on all packets from its key frame's on to its own.
        """
        before = np.searchsorted(packets, self.whole_from, side="left")
        return np.searchsorted(packets, self.decode_order, side="right") > before
