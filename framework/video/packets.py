"""What a file's packets say about its frames: when, how large, which are key frames.

Frame number i is the i-th picture that a player shows, whatever the order of the packets in the file. Times count from
the first picture that can be shown: pictures before the first key frame, or before the time 0 of a Matroska file, are
no frames. As a rule one packet is one frame, and nothing is decoded. Measured: 10,000 packets in 0.03 s.

Where the packets do not say enough, a decoder says the rest:
* A film that begins between key frames is decoded up to the first picture that comes out.
* Where the container lost data, the frames from one key frame to the next are decoded, to see which are left out.
* Where the times do not tell the frames apart (not every packet has one, several share one, or the clock begins anew)
  the whole file is decoded once, with one log line, and frames are what comes out. Such a table is `counted`.
"""

from __future__ import annotations

import logging
import os
from contextlib import closing
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from framework.video.clocks import BROADCAST, by_clock, collide, one_clock, restarts, spread
from framework.video.container import USUAL, Limits, check_file, open_container
from framework.video.demux import AGAIN, NONE, Listing, list_packets
from framework.video.errors import VideoError
from framework.video.playback import play
from framework.video.table import PacketTable

log = logging.getLogger(__name__)
MISSING_SECONDS, MISSING_SHARE = 2.0, 0.05  # a Matroska header may promise this much more than the file holds
UNRELIABLE = ("flv", "avi")  # what their headers promise is often wrong


def packets(path: str, limits: Limits = USUAL) -> PacketTable:
    """Returns the packet table of the file at `path`. Raises VideoError if it has none.

    It is kept for the last few files as long as they do not change.
    """
    check_file(path)
    status = os.stat(path)
    return _packets(path, limits, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=16)
def _packets(path: str, limits: Limits, size_bytes: int, changed_ns: int) -> PacketTable:
    listing = list_packets(path, limits)
    _check_complete(path, limits, size_bytes, listing)
    number, first = np.arange(len(listing)), _first_key(listing)
    if first > 0:
        log.info("%s: it begins between key frames; its first %d packets are passed over", path, first)
    shown = listing.shown & (number >= first)
    timed = shown & (listing.stamps != NONE)
    early = shown & ~timed  # Matroska has no times before 0, elsewhere the first packets of a cut may lack one
    if not listing.is_format("matroska") and (early & (number > np.argmax(timed))).any():
        early[:] = False
    back, ahead = restarts(listing)
    if back.any():
        trouble = "its clock begins anew (what comes later in the file is shown later)"
    elif not timed.any() or (shown & ~timed & ~early).any():
        trouble = "not every picture has a time of its own"
    elif collide(listing.stamps[timed]):
        trouble = "several pictures have the same time"
    else:
        trouble = ""
    if trouble:
        log.info("%s: %s; all of it is decoded once to find its frames", path, trouble)
        table = _counted(path, limits, listing, shown & ~early if timed.any() else shown, np.cumsum(back | ahead))
    else:
        if ahead.any():
            log.info("%s: its clock jumps ahead; the jump is left out", path)
        table = _timed(path, limits, listing, timed, np.cumsum(ahead))
    return table


def _timed(
    path: str, limits: Limits, listing: Listing, timed: NDArray[np.bool_], part: NDArray[np.int64]
) -> PacketTable:
    """The table of a file whose times tell the frames apart."""
    rows = np.flatnonzero(timed)
    stamps, first = np.unique(listing.stamps[rows], return_index=True)  # two fields of one picture share a time
    order = rows[first]
    start = _first_shown(path, limits, listing, stamps, order)
    stamps, order = stamps[start:], order[start:]
    damaged = _damaged(listing)
    if len(damaged):
        table = _table(listing, stamps, order, np.zeros(len(order)), damaged, counted=False)
        in_turn, late = _coming_out(path, limits, table)
        kept = np.isin(stamps, in_turn) | ~(table.damaged | np.isin(stamps, late))
        stamps, order = stamps[kept], order[kept]
    if not len(order):
        raise VideoError(path, f"none of its {len(listing)} packets gives a frame", AGAIN)
    seconds = one_clock((stamps - stamps[0]) * listing.base, part[order], listing)
    return _table(listing, stamps, order, seconds, damaged, counted=False)


def _counted(
    path: str, limits: Limits, listing: Listing, shown: NDArray[np.bool_], part: NDArray[np.int64]
) -> PacketTable:
    """The table of a file whose frames are what comes out of the decoder, in that order."""
    order, stamps, damaged = [], [], _damaged(listing).tolist()
    with closing(play(path, [(_first_key(listing), len(listing))], limits, guesses=False)) as pictures:
        for picture in pictures:
            if picture.corrupt:
                damaged.append(picture.packet)
            if picture.frame is not None and shown[picture.packet]:
                order.append(picture.packet)
                stamps.append(NONE if picture.stamp is None else picture.stamp)
    if not order:
        raise VideoError(path, f"none of its {len(listing)} packets gives a frame", AGAIN)
    numbers, times, untimed = np.array(order), np.array(stamps), listing.is_format("avi")
    seconds = np.zeros(len(numbers), np.float64)
    for each in np.unique(part[numbers]):
        inside = part[numbers] == each
        seconds[inside] = spread(by_clock(numbers[inside], listing) if untimed else times[inside], listing, path)
    seconds = one_clock(seconds, part[numbers], listing)
    table = _table(listing, numbers, numbers, seconds, np.unique(damaged), counted=True)
    return replace(table, damaged=np.logical_or.accumulate(table.damaged))  # a lost picture moves all behind it


def _table(
    listing: Listing,
    stamps: NDArray[np.int64],
    order: NDArray[np.int64],
    seconds: NDArray[np.float64],
    damaged: NDArray[np.int64],
    counted: bool,
) -> PacketTable:
    """The table of the frames that come from the packets `order`; `damaged` are packets."""
    usual = float(np.median(np.diff(stamps)) * listing.base) if len(stamps) > 1 and not counted else 0.0
    table = PacketTable(
        seconds=seconds,
        bytes=listing.bytes[order],
        keyframe=listing.keyframe[order],
        stamps=stamps,
        decode_order=order,
        last_seconds=float(listing.lengths[order[-1]]) * listing.base or usual or listing.frame_seconds,
        container=listing.container,
        clocks=np.where(listing.clocks == NONE, listing.stamps, listing.clocks)[order],
        clean=listing.clean[order],
        damaged=np.zeros(len(order), bool),
        counted=counted,
    )
    return replace(table, damaged=table.spoilt(damaged))


def _check_complete(path: str, limits: Limits, size_bytes: int, listing: Listing) -> None:
    """Raises VideoError if the file holds less than its header promises, as far as such a header can be trusted."""
    torn = bool(listing.corrupt.any()) and not listing.is_format(*BROADCAST, *UNRELIABLE)
    if torn or listing.end_bytes > size_bytes:
        found = f"the file is cut off: only {len(listing)} frames of what its header promises are there"
        raise VideoError(path, found, AGAIN)
    timed = np.flatnonzero(listing.stamps != NONE)
    if listing.is_format(*BROADCAST) or not len(timed):
        return
    last = timed[np.argmax(listing.stamps[timed])]
    length = float(listing.lengths[last]) * listing.base or listing.frame_seconds
    end = float(listing.stamps[last]) * listing.base + length - min(listing.start, 0.0)
    allowed = max(MISSING_SECONDS, MISSING_SHARE * listing.declared)
    if listing.declared - end > allowed:
        end = max(end, _end_of_anything(path, limits) - min(listing.start, 0.0))
    if listing.declared - end <= allowed:
        return
    if not listing.is_format(*UNRELIABLE):
        found = f"the file is cut off: its header promises {listing.declared:.1f} s, it ends after {end:.1f} s"
        raise VideoError(path, found, AGAIN)
    log.warning("%s: its header promises %.1f s, it holds %.1f s; all of them are read", path, listing.declared, end)


def _first_key(listing: Listing) -> int:
    """The first packet that is a key frame; 0 where none is."""
    return int(np.argmax(listing.keyframe))


def _first_shown(
    path: str, limits: Limits, listing: Listing, stamps: NDArray[np.int64], order: NDArray[np.int64]
) -> int:
    """Which of the pictures at `stamps` is the first that comes out of a decoder.

    The decoder is asked only where the file does not begin with a key frame that is shown first.
    """
    key = _first_key(listing)
    if key == 0 and listing.clean[0] and (not listing.shown[0] or order[0] == 0):
        return 0
    with closing(play(path, [(key, len(listing))], limits)) as pictures:
        places = {stamp: place for place, stamp in enumerate(stamps.tolist())}
        found = (places[p.stamp] for p in pictures if p.frame is not None and p.stamp in places)
        return next(found, len(stamps))


def _damaged(listing: Listing) -> NDArray[np.int64]:
    """The packets that may be damaged: those that the container marks, and the next ones.

    FFmpeg marks the packet that it puts together when it notices the loss, which is one earlier where packets are cut
    out of a stream of bytes.
    """
    marked = np.flatnonzero(listing.corrupt)
    return np.unique(np.concatenate([marked, marked + 1]))


def _coming_out(path: str, limits: Limits, table: PacketTable) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The times of the pictures that a decoder gives around the damaged frames: those in turn, those that come late."""
    spans: list[tuple[int, int]] = []
    whole_from = table.whole_from
    for start in np.unique(whole_from[table.damaged]).tolist():
        end = int(table.decode_order[table.damaged & (whole_from == start)].max()) + 1
        if spans and start < spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    with closing(play(path, spans, limits)) as pictures:
        stamps = np.array([p.stamp for p in pictures if p.frame is not None and p.stamp is not None], np.int64)
    in_turn = stamps == np.maximum.accumulate(stamps)
    return stamps[in_turn], stamps[~in_turn]


def _end_of_anything(path: str, limits: Limits) -> float:
    """When the last packet of any stream ends, in seconds: a video may rightly end before its sound does."""
    with open_container(path, limits) as (container, _):
        ends = (float((p.pts + (p.duration or 0)) * p.time_base) for p in container.demux() if p.pts is not None)
        return max(ends, default=0.0)
