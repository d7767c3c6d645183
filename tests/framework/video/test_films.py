"""The right picture at the right second, over containers, codecs, groups of pictures, clocks, rates and samplings.

The referee is a plain sequential decode of the whole file: what it shows at a time is right. In the two containers that
do not keep when each picture is shown, the decode tells the order and the film's own plan the times. Left out is what
a file cannot hold: AVI has no start of its own and loses uneven times of B-frames, MPEG program streams lose gaps.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from framework.video.errors import VideoError
from framework.video.readers.decord import DecordReader
from framework.video.readers.pyav import PyAVReader
from framework.video.sampling import Sampling
from framework.video.timeline import timeline
from tests.fixtures.films import UNTIMED, Film, make, number_of, times

READERS = {"decord": DecordReader(0, 2**29), "pyav": PyAVReader(0)}
SAMPLINGS = {
    "all": Sampling(None, 10_000, 2),
    "2fps": Sampling(2.0, 10_000, 2),
    "half": Sampling(0.5, 10_000, 2),
    "12ticks": Sampling(None, 24, 2),
}
SAME_SECONDS = 1e-3  # containers round times to a thousandth; two pictures are at least 16 apart
# container, codec, groups of pictures, B-frames, start, rate, samplings: every film is read, and read right
TABLE = """
mp4  libx264    closed  0 0 29.97    all 2fps half 12ticks
mp4  libx264    closed  3 0 29.97    all 2fps half 12ticks
mp4  libx264    open    3 0 29.97    all 2fps
mp4  libx264    refresh 0 0 29.97    all 2fps 12ticks
mp4  libx264    refresh 3 0 gap      2fps
mp4  libx264    long    0 0 29.97    2fps
mp4  libx264    long    3 0 29.97    12ticks
mp4  libx264    closed  3 5 29.97    all 2fps
mp4  libx264    closed  0 0 23.976   half
mp4  libx264    closed  3 0 59.94    2fps
mp4  libx264    closed  3 0 variable all 2fps
mp4  libx264    closed  3 0 gap      all 2fps
mp4  libx265    closed  3 0 29.97    2fps
mp4  libx265    open    3 0 29.97    all 2fps 12ticks
mp4  libx265    refresh 0 0 29.97    2fps
mp4  libx265    open    3 0 gap      2fps
mp4  mpeg4      closed  3 0 29.97    2fps
mp4  mpeg4      open    3 0 variable 2fps
mp4  mpeg2video open    3 0 29.97    2fps
mp4  libsvtav1  closed  3 0 29.97    2fps
mp4  libvpx-vp9 closed  0 0 29.97    2fps
mov  libx264    open    3 5 23.976   2fps
mov  libx264    refresh 0 5 29.97    12ticks
mov  libx265    open    3 5 59.94    2fps
mov  mpeg4      closed  0 0 variable half
mkv  libx264    closed  3 5 29.97    all 2fps
mkv  libx264    open    3 0 59.94    2fps
mkv  libx264    refresh 0 0 29.97    2fps half
mkv  libx264    refresh 3 0 59.94    half
mkv  libx264    long    3 0 23.976   2fps
mkv  libx264    closed  3 0 variable 2fps
mkv  libx264    closed  3 0 gap      half
mkv  libx265    open    3 5 29.97    2fps
mkv  mpeg4      closed  3 5 29.97    2fps
mkv  mpeg2video open    3 0 29.97    2fps
mkv  ffv1       closed  0 0 variable 12ticks
mkv  libsvtav1  closed  3 5 29.97    2fps
webm libvpx     closed  0 0 29.97    2fps
webm libvpx     long    0 5 gap      2fps
webm libvpx-vp9 closed  0 5 29.97    all 2fps
webm libvpx-vp9 long    0 0 variable 2fps
webm libsvtav1  closed  3 0 gap      2fps
webm libsvtav1  long    0 5 29.97    half
ts   libx264    closed  0 0 29.97    2fps
ts   libx264    closed  3 0 29.97    all 2fps half 12ticks
ts   libx264    open    3 0 29.97    2fps half
ts   libx264    refresh 0 0 29.97    2fps
ts   libx264    refresh 3 5 29.97    half
ts   libx264    long    3 0 29.97    2fps
ts   libx264    closed  3 5 29.97    2fps
ts   libx264    closed  3 0 23.976   half
ts   libx264    closed  3 0 59.94    2fps
ts   libx264    open    3 0 variable 2fps
ts   libx264    closed  3 0 gap      all 2fps
ts   libx265    closed  3 0 29.97    2fps
ts   libx265    open    3 5 29.97    2fps half
ts   libx265    refresh 0 0 29.97    2fps
ts   mpeg2video closed  3 0 29.97    2fps
ts   mpeg2video open    3 0 59.94    2fps
ts   mpeg4      open    3 5 29.97    2fps
mpg  mpeg2video closed  0 0 29.97    all 2fps
mpg  mpeg2video closed  3 0 29.97    2fps
mpg  mpeg2video open    3 0 29.97    all 2fps 12ticks
mpg  mpeg2video long    3 0 23.976   2fps
mpg  mpeg2video open    3 5 29.97    half
mpg  mpeg2video open    3 0 59.94    2fps
mpg  mpeg1video open    2 0 29.97    2fps
mpg  mpeg1video open    3 0 29.97    all 2fps
mpg  mpeg2video open    2 0 29.97    all 2fps
mpg  mpeg2video open    2 5 29.97    half
mpg  libx264    closed  0 0 29.97    2fps
mpg  libx264    open    3 0 29.97    all
avi  mpeg4      closed  0 0 29.97    2fps
avi  mpeg4      closed  3 0 29.97    all 2fps
avi  mpeg4      open    3 0 29.97    2fps
avi  mpeg4      long    3 0 23.976   12ticks
avi  mpeg4      closed  3 0 gap      2fps
avi  mpeg4      closed  0 0 variable 2fps
avi  libx264    closed  0 0 29.97    all 2fps
avi  libx264    closed  3 0 29.97    all 2fps half
avi  libx264    open    3 0 59.94    2fps
avi  libx264    refresh 0 0 29.97    2fps
avi  libx264    long    3 0 29.97    12ticks
avi  libx264    closed  0 0 gap      2fps
flv  libx264    closed  0 0 29.97    2fps
flv  libx264    closed  3 0 29.97    all 2fps
flv  libx264    open    3 0 59.94    2fps
flv  libx264    refresh 0 5 29.97    2fps
flv  libx264    long    3 0 variable half
flv  libx264    closed  3 5 gap      2fps
flv  libx265    open    3 0 29.97    2fps
flv  libsvtav1  closed  3 0 29.97    2fps
flv  libvpx-vp9 closed  0 5 variable 2fps
flv  flv        closed  0 5 23.976   2fps
"""


def cells() -> list[tuple[Film, str]]:
    found = []
    for line in TABLE.strip().splitlines():
        container, codec, gop, bframes, start, rate, *samplings = line.split()
        frames = 500 if container == "mpg" else 400 if rate == "59.94" else 200
        film = Film(container, codec, gop, int(bframes), int(start), rate, frames)
        found += [(film, sampling) for sampling in samplings]
    return found


@dataclass(frozen=True)
class Shown:
    """What a sequential decode shows: pictures u8 [n, H, W, 3] from `seconds` [n] on, counted from the first."""

    seconds: NDArray[np.float64]
    pictures: NDArray[np.uint8]
    keys: NDArray[np.bool_]
    broken: NDArray[np.bool_]  # as far as the decoder notices

    def place(self, seconds: float) -> int:
        """Which picture is shown then."""
        return int(np.searchsorted(self.seconds, seconds + SAME_SECONDS, side="right")) - 1

    def at(self, seconds: float) -> NDArray[np.uint8]:
        return self.pictures[self.place(seconds)]


def packets_of(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.Packet]:
    """The packets of a stream; PyAV fails after the last one if more streams have appeared in the middle."""
    with suppress(IndexError):
        yield from container.demux(stream)


def watch(path: str, plan: list[float] | None = None) -> Shown:
    """Decodes the whole file in order; what cannot be read, or has no time, is left out. `plan`: times instead."""
    frames: list[tuple[float | None, NDArray[np.uint8], bool, bool]] = []
    rgb = VideoReformatter()
    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for packet in packets_of(container, stream):
            try:
                pictures = packet.decode()
            except av.error.FFmpegError:
                continue
            rgb24 = [rgb.reformat(picture, format="rgb24").to_ndarray() for picture in pictures]
            frames += [(p.time, shown, p.key_frame, p.is_corrupt) for p, shown in zip(pictures, rgb24, strict=True)]
    if plan is not None:
        frames = [(seconds, *rest) for seconds, (_, *rest) in zip(plan, frames, strict=True)]
    timed = sorted((frame for frame in frames if frame[0] is not None), key=lambda frame: frame[0])
    seconds, *rest = (np.array(column) for column in zip(*timed, strict=True))
    return Shown(seconds - seconds[0], *rest)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Film], str]:
    """The path of a film, which is made once."""
    folder = tmp_path_factory.mktemp("films")
    return cache(lambda film: make(film, folder / f"{film}-{film.frames}.{film.container}"))


@pytest.fixture(scope="session")
def shown(made: Callable[[Film], str]) -> Callable[[Film], Shown]:
    """What the referee sees of a film."""

    def see(film: Film) -> Shown:
        plan = [float(t) for t in times(film)]
        seen = watch(made(film), plan if film.container in UNTIMED else None)
        assert [number_of(p) for p in seen.pictures] == list(range(film.frames)), "the film itself is not as planned"
        np.testing.assert_allclose(seen.seconds, plan, rtol=0, atol=SAME_SECONDS)
        return seen

    return cache(see)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(("film", "sampling"), cells(), ids=lambda value: str(value))
def test_every_wanted_second_shows_its_picture(
    film: Film, sampling: str, reader: str, made: Callable[[Film], str], shown: Callable[[Film], Shown]
) -> None:
    path, right = made(film), shown(film)
    line = timeline(path, SAMPLINGS[sampling], 2, READERS[reader])
    seconds = READERS[reader].info(path).seconds
    np.testing.assert_allclose(seconds, right.seconds, rtol=0, atol=SAME_SECONDS)
    end = right.seconds[-1] + np.median(np.diff(right.seconds))
    wanted = line.frames.unique().tolist()
    assert wanted == SAMPLINGS[sampling].frames(right.seconds, float(end), 2).tolist()
    np.testing.assert_array_equal(line.seconds, seconds[line.frames[:, 0]])
    read = {n: p.permute(1, 2, 0).numpy() for n, p in READERS[reader].decode(path, wanted)}
    assert list(read) == wanted
    assert {n: number_of(p) for n, p in read.items()} == {n: number_of(right.at(seconds[n])) for n in wanted}
    assert [n for n, p in read.items() if not np.array_equal(p, right.at(seconds[n]))] == []


def decoded(frames: Callable[[], Iterable[object]]) -> int:
    """How many packets a decoder is given while `frames` come."""
    called: Counter[str] = Counter()
    before = sys.getprofile()
    sys.setprofile(lambda _, event, what: called.update([what.__qualname__] if event == "c_call" else []))
    try:
        for _ in frames():
            pass
    finally:
        sys.setprofile(before)
    return called["VideoCodecContext.decode"]


def test_a_jump_costs_no_more_in_a_transport_stream(
    made: Callable[[Film], str], shown: Callable[[Film], Shown]
) -> None:
    counts = {}
    for container in ("mp4", "ts"):
        film = Film(container, bframes=3, frames=900)
        wanted = timeline(made(film), Sampling(1.0, 10_000, 2), 2, READERS["pyav"]).frames.unique().tolist()
        assert len(wanted) == 30
        counts[container] = decoded(partial(PyAVReader(1).decode, made(film), wanted))
        keys = np.flatnonzero(shown(film).keys)
        needed = sum(n - keys[keys <= n][-1] + 1 for n in wanted)
        assert 30 <= counts[container] <= 2 * needed < 900
    assert counts["ts"] <= 2 * counts["mp4"]


FRAGILE = [
    Film(bframes=3),
    Film("mp4", gop="refresh"),
    Film("mkv", gop="open", bframes=3),
    Film("ts", bframes=3),
    Film("mkv", "libx265", "open", 3),
    Film("mp4", "mpeg4", "closed", 3),
    Film("ts", "mpeg2video", "open", 3),
    Film("webm", "libvpx"),
    Film("webm", "libvpx-vp9"),
    Film("mkv", "libsvtav1", bframes=3),
]


def damage(film: str, dice: random.Random, to: Path) -> None:
    """Writes a copy of the film with 1 to 30 bits turned over in its middle half, none in the times of its pictures.

    What would be right at a time that is wrong itself, nobody can say.
    """
    content, clock = Path(film).read_bytes(), stamps(film)
    while True:
        changed = bytearray(content)
        for _ in range(dice.randint(1, 30)):
            changed[dice.randrange(len(content) // 4, len(content) * 3 // 4)] ^= 1 << dice.randrange(8)
        to.write_bytes(changed)
        left = stamps(str(to))
        if left == [stamp for stamp in clock if stamp in set(left)]:
            return


def stamps(path: str) -> list[int | None]:
    with av.open(path) as container:
        return [packet.pts for packet in packets_of(container, container.streams.video[0]) if packet.size]


@pytest.mark.parametrize("film", FRAGILE, ids=str)
def test_no_picture_of_a_damaged_film_is_wrong_without_a_word(
    film: Film, made: Callable[[Film], str], tmp_path: Path
) -> None:
    reader, compared = PyAVReader(1), 0  # with more threads, what VP8 makes of broken data is a matter of chance
    wrong: list[tuple[int, str, int]] = []
    for seed in range(4):
        path = tmp_path / f"damaged{seed}.{film.container}"
        damage(made(film), random.Random(f"{film} {seed}"), path)
        right = watch(str(path))
        for sampling in ("all", "2fps"):
            damaged: set[int] = set()
            with suppress(VideoError):  # that is a word; what came before it is compared all the same
                wanted = timeline(str(path), SAMPLINGS[sampling], 2, reader).frames.unique().tolist()
                seconds = reader.info(str(path)).seconds
                for number, picture in reader.decode(str(path), wanted, damaged):
                    place = right.place(seconds[number])
                    same = np.array_equal(picture.permute(1, 2, 0), right.pictures[place]) and not right.broken[place]
                    wrong += [] if same or number in damaged else [(seed, sampling, number)]
                    compared += number not in damaged
    assert wrong == []
    assert compared >= 100  # of some 800: nothing is refused out of hand
