"""When pictures are shown, where packets do not say so one by one: clocks that jump, times that collide.

Pure functions of the list of packets.
"""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray

from framework.video.demux import NONE, Listing

BACK_SECONDS = 0.25  # a clock that goes back by more begins anew
AHEAD_SECONDS = 10.0  # so does the clock of a broadcast that goes ahead by more; FFmpeg has the same limit
BROADCAST = ("mpegts", "mpeg", "hls")  # made for reception with errors: no header, no length, and clocks that jump
UNEVEN_FRAMES = 4  # times off by less are inexact: packed B-frames in AVI, times at the wrong picture in MPEG
log = logging.getLogger(__name__)


def restarts(listing: Listing) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Says before which packets the file's clock goes back, and before which it jumps ahead: bool [p] each."""
    back, ahead = np.zeros(len(listing), bool), np.zeros(len(listing), bool)
    known = np.flatnonzero(listing.clocks != NONE)
    steps = np.diff(listing.clocks[known]) * listing.base
    back[known[1:]] = steps < -BACK_SECONDS
    ahead[known[1:]] = listing.is_format(*BROADCAST) & (steps > AHEAD_SECONDS)
    return back, ahead


def collide(stamps: NDArray[np.int64]) -> bool:
    """Says whether pictures share times, other than two fields of one picture, which follow one another in the file."""
    same = stamps[1:] == stamps[:-1]
    return len(np.unique(stamps)) + int(same.sum()) < len(stamps) or bool((same[1:] & same[:-1]).any())


def by_clock(order: NDArray[np.int64], listing: Listing) -> NDArray[np.int64]:
    """Returns when pictures from the packets `order` are shown, by the times at which those are decoded: i64 [k].

    A picture is shown as late as decoded, plus the time of as many packets as may overtake one another.
    """
    clocks = np.sort(listing.clocks[order])
    late = int((np.argsort(np.argsort(order)) - np.arange(len(order))).max())
    more = clocks[-1] + np.arange(1, late + 1) * round(listing.frame_seconds / listing.base)
    return np.concatenate([clocks[late:], more])


def spread(times: NDArray[np.int64], listing: Listing, path: str) -> NDArray[np.float64]:
    """Returns when pictures that come out one after the other are shown, in seconds: f64 [n].

    `times` i64 [n] are the file's, NONE where unknown. Pictures follow one another at the frame rate, unless those
    times clearly say otherwise. Such a time may be attached to the picture beside.
    """
    number = np.arange(len(times), dtype=np.float64)
    latest = np.maximum.accumulate(np.concatenate([[NONE], times[:-1]]))
    known = np.flatnonzero(times > latest)
    if not len(known):
        return number * listing.frame_seconds
    told = (times[known] * listing.base).astype(np.float64)
    even = told[0] + (number - known[0]) * listing.frame_seconds
    off = float(np.abs(even[known] - told).max())
    inexact = off <= UNEVEN_FRAMES * listing.frame_seconds
    if not inexact or (listing.is_format("avi") and off > listing.frame_seconds / 2):
        log.warning("%s: its times are uneven by up to %.2f s; pictures may stand at a second beside theirs", path, off)
    if inexact:
        return np.asarray(even, np.float64)
    outside = np.minimum(number - known[0], 0) + np.maximum(number - known[-1], 0)
    return np.asarray(np.interp(number, known, told) + outside * listing.frame_seconds, np.float64)


def one_clock(seconds: NDArray[np.float64], part: NDArray[np.int64], listing: Listing) -> NDArray[np.float64]:
    """Moves each part of a film to the end of the part before; the first begins at 0."""
    starts = np.flatnonzero(np.diff(part, prepend=-1))
    moved: NDArray[np.float64] = seconds - seconds[0]
    for start in starts[1:].tolist():
        moved[start:] += moved[start - 1] + listing.frame_seconds - moved[start]
    return moved
