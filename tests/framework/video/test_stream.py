"""Groups in any order, each frame decoded once, in bounded memory, with a thread that always ends."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from framework.core.types import Group, Timeline
from framework.video.info import VideoInfo
from framework.video.readers.base import Reader
from framework.video.readers.decord import DecordReader
from framework.video.readers.pyav import PyAVReader
from framework.video.sampling import Sampling
from framework.video.stream import CHUNK_FRAMES, FrameSource
from framework.video.timeline import timeline

TICKS = 20


@dataclass
class Counting(Reader):
    """Frame n is a picture of brightness n; remembers what was asked of it. Breaks at `breaks`.

    From frame `grows` on pictures are larger; those in `spoilt` are damaged.
    """

    threads: int = 0
    asked: list[int] = field(default_factory=list)
    breaks: int = -1
    closed: bool = False
    frames: int = 40
    grows: int = 10**9
    spoilt: frozenset[int] = frozenset()
    coloured: bool = False  # colour c is brighter by c
    alive: list[weakref.ref[np.ndarray]] = field(default_factory=list)  # pictures, as long as somebody holds them
    most_alive: int = 0
    watched: int = 0  # when so many are asked for, `reached` is set
    halts_at: int = -1  # at this frame it waits until it may `go_on`
    reached: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    def info(self, path: str) -> VideoInfo:
        return VideoInfo(path, torch.arange(self.frames).double().numpy(), 8, 8, float(self.frames), 0, False, (8, 8))

    def decode(
        self, path: str, frames: Sequence[int], damaged: set[int] | None = None
    ) -> Generator[tuple[int, Tensor], None, None]:
        try:
            for number in frames:
                if number == self.breaks:
                    raise KeyboardInterrupt
                self.asked.append(number)
                if len(self.asked) == self.watched:
                    self.reached.set()
                if number == self.halts_at:
                    self.reached.set()
                    assert self.go_on.wait(60)
                if damaged is not None and number in self.spoilt:
                    damaged.add(number)
                side = 12 if number >= self.grows else 8
                picture = np.full((side, side, 3), number % 256, np.uint8)
                if self.coloured:
                    picture += np.arange(3, dtype=np.uint8)
                self.alive.append(weakref.ref(picture))
                self.most_alive = max(self.most_alive, sum(one() is not None for one in self.alive))
                yield number, torch.from_numpy(picture).permute(2, 0, 1)
        finally:
            self.closed = True


def line(ticks: int = TICKS) -> Timeline:
    return Timeline("made", torch.arange(ticks).double(), torch.arange(2 * ticks).reshape(ticks, 2))


def contiguous(ticks: int = TICKS, size: int = 4) -> list[Group]:
    return [Group(g, part) for g, part in enumerate(torch.arange(ticks).split(size))]


def interleaved(count: int = 5) -> list[Group]:
    return [Group(g, torch.arange(g, TICKS, count)) for g in range(count)]


def wait_until(true: Callable[[], bool]) -> None:
    for _ in range(6000):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("it never came")


def wait_until_idle(source: FrameSource) -> None:
    """Until the decoding thread waits for room in the queue."""
    wait_until(lambda: source._ahead.waiting)


def decoding() -> int:
    return sum(thread.name == "decode" for thread in threading.enumerate())


@settings(max_examples=30, deadline=None)
@given(
    order=st.permutations(range(5)),
    mixed=st.booleans(),
    in_ram=st.sampled_from([0, 500, 10**6]),
    visited=st.integers(0, 5),
)
def test_any_order_gives_each_group_its_frames_and_decodes_once(
    order: list[int], mixed: bool, in_ram: int, visited: int
) -> None:
    groups = interleaved() if mixed else contiguous()
    reader = Counting()
    with FrameSource(line(), reader, (8, 8), groups, spool_ram_bytes=in_ram) as source:
        for index in order[:visited]:
            frames = source.frames(groups[index])
            assert frames.pixels[:, :, 0, 0, 0].tolist() == line().frames[groups[index].ticks].tolist()
            assert frames.seconds.tolist() == groups[index].ticks.tolist()
        assert reader.asked == sorted(set(reader.asked))
        assert source.decoded <= 2 * TICKS
    assert decoding() == 0


def test_natural_order_on_contiguous_groups_spools_nothing() -> None:
    with FrameSource(line(), Counting(), (8, 8), contiguous()) as source:
        for group in contiguous():
            source.frames(group)
        assert source.spooled == 0
        assert source.decoded == 2 * TICKS
        assert source.decode_seconds > 0


def test_only_the_announced_ticks_are_decoded() -> None:
    reader = Counting()
    few = [Group(0, torch.tensor([0])), Group(1, torch.tensor([9, 19]))]
    with FrameSource(line(), reader, (8, 8), few) as source:
        source.frames(few[1])
        source.frames(few[0])
    assert reader.asked == [0, 1, 18, 19, 38, 39]


def test_decoding_goes_no_further_than_the_queue() -> None:
    """Two groups are less than a chunk here: one chunk is taken, one lies in the queue, one waits."""
    reader = Counting(frames=2000)
    groups = contiguous(1000)
    with FrameSource(line(1000), reader, (8, 8), groups) as source:
        source.frames(groups[0])
        assert len(reader.asked) <= 3 * CHUNK_FRAMES
    assert reader.closed
    assert decoding() == 0


@pytest.mark.parametrize(
    ("frames_ahead", "most_bytes"),
    [(512, 2**28), (192, 200 * 3 * 8 * 8)],  # two groups; as many whole chunks as the limit has room for
)
def test_two_groups_are_decoded_while_the_consumer_is_busy(frames_ahead: int, most_bytes: int) -> None:
    """The consumer holds its first group (256 frames) and asks for nothing; what waits for room is one chunk more."""
    groups = contiguous(1000, 128)
    reader = Counting(frames=2000, watched=256 + frames_ahead + CHUNK_FRAMES)
    with FrameSource(line(1000), reader, (8, 8), groups, ahead_bytes=most_bytes) as source:
        source.frames(groups[0])
        assert reader.reached.wait(60)
        pixels = [source.frames(group).pixels for group in groups[1:3]]
        assert torch.cat(pixels)[:, :, 0, 0, 0].flatten().tolist() == [n % 256 for n in range(256, 768)]
    reader = Counting(frames=2000)
    with FrameSource(line(1000), reader, (8, 8), groups, ahead_bytes=most_bytes) as source:
        source.frames(groups[0])
        wait_until_idle(source)
        assert len(reader.asked) == 256 + frames_ahead + CHUNK_FRAMES


@pytest.mark.parametrize(
    ("strided", "in_ram", "frames"),
    [
        (True, 2**20, 1984),  # the first of 8 interleaved groups ends with frame 1985; 31 chunks lie ready
        (True, 64 * 10 * 192, 640),  # but no more than the spool may hold in RAM
        (False, 2**20, 500),  # neighbours: two groups, as ever
    ],
)
def test_what_the_first_group_needs_is_decoded_before_it_is_wished_for(strided: bool, in_ram: int, frames: int) -> None:
    every = torch.arange(1000)
    groups = [Group(g, part) for g, part in enumerate([every[g::8] for g in range(8)] if strided else every.split(125))]
    reader = Counting(frames=2000)
    with FrameSource(line(1000), reader, (8, 8), groups, spool_ram_bytes=in_ram) as source:
        source.start(groups[0])
        wait_until_idle(source)
        assert len(reader.asked) == frames // CHUNK_FRAMES * CHUNK_FRAMES + (CHUNK_FRAMES if frames < 1984 else 16)
        assert source.frames(groups[0]).pixels.shape[0] == 125
    assert decoding() == 0


def test_a_source_serves_just_what_it_was_made_for() -> None:
    groups = interleaved()
    with FrameSource(line(), Counting(), (8, 8), groups) as source:
        assert source.serves(line(), (8, 8), interleaved())
        assert not source.serves(line(), (8, 4), groups)
        assert not source.serves(line(), (8, 8), groups[:-1])
        assert source.serves(line(), (8, 8), contiguous())  # the same frames, cut otherwise
        assert not source.serves(Timeline("other", line().seconds, line().frames), (8, 8), groups)
        assert not source.serves(Timeline("made", line().seconds + 1, line().frames), (8, 8), groups)


def test_closing_ends_the_decoding_within_a_chunk() -> None:
    """A sparse chunk takes long: the thread does not read it to its end when nobody wants it any more."""
    reader = Counting(frames=2000, halts_at=40)
    groups = contiguous(1000)
    with FrameSource(line(1000), reader, (8, 8), groups) as source:
        source.start()
        assert reader.reached.wait(60)
        closing = threading.Thread(target=source.close)
        closing.start()
        wait_until(lambda: source._ahead.closed)
        reader.go_on.set()
        closing.join()
    assert reader.asked[-1] == 40
    assert reader.closed


def test_nothing_is_decoded_if_nothing_is_wished_for() -> None:
    reader = Counting()
    with FrameSource(line(), reader, (8, 8), contiguous()):
        pass
    assert reader.asked == []


def test_parts_of_a_group_may_be_wished_for_but_nothing_twice() -> None:
    with FrameSource(line(), Counting(), (8, 8), contiguous()) as source:
        assert source.frames(Group(2, torch.tensor([9]))).pixels[0, :, 0, 0, 0].tolist() == [18, 19]
        assert source.frames(Group(2, torch.tensor([8, 10]))).pixels[:, 0, 0, 0, 0].tolist() == [16, 20]
        with pytest.raises(ValueError, match="frame 16 of group 2 was not announced, or was handed out already"):
            source.frames(Group(2, torch.tensor([8])))


def test_a_repeated_frame_fills_its_whole_tick() -> None:
    padded = Timeline("made", torch.tensor([0.0, 2.0]), torch.tensor([[0, 1], [2, 2]]))
    groups = [Group(0, torch.tensor([1])), Group(1, torch.tensor([0]))]
    with FrameSource(padded, Counting(), (8, 8), groups) as source:
        assert source.frames(groups[0]).pixels[0, :, 0, 0, 0].tolist() == [2, 2]
        assert source.frames(groups[1]).pixels[0, :, 0, 0, 0].tolist() == [0, 1]


def test_pictures_of_another_size_are_resized_to_the_one_size(caplog: pytest.LogCaptureFixture) -> None:
    groups = interleaved()
    with FrameSource(line(), Counting(grows=13), (8, 8), groups) as source:
        for group in groups:
            frames = source.frames(group)
            assert frames.pixels.shape == (4, 2, 3, 8, 8)
            assert frames.pixels[:, :, 0, 4, 4].tolist() == line().frames[group.ticks].tolist()
        assert source.decoded == 40
    assert [record.message for record in caplog.records] == [
        "made: the size of its pictures changes, to 12 x 12 pixels; all are resized to one size"
    ]


def test_one_full_size_picture_is_held_at_a_time() -> None:
    """Beside the one that the reader is about to give: the queue and the spool hold resized copies."""
    reader = Counting(frames=200, grows=0)  # all are 12 x 12, and wanted as 8 x 8
    with FrameSource(line(100), reader, (8, 8), contiguous(100, 50)) as source:
        source.frames(contiguous(100, 50)[1])
    assert reader.most_alive <= 2


def test_pixels_keep_their_colours_last_in_memory() -> None:
    """Resized or not, out of the queue or the spool: the layout in memory is that of the decoder."""
    for side in (8, 4):
        groups = interleaved(2)
        with FrameSource(line(), Counting(coloured=True), (side, side), groups) as source:
            for group in groups:
                pixels = source.frames(group).pixels
                assert pixels.permute(0, 1, 3, 4, 2).is_contiguous()
                numbers = line().frames[group.ticks]
                for colour in range(3):
                    expected = ((numbers + colour) % 256)[:, :, None, None].expand(-1, -1, side, side)
                    assert torch.equal(pixels[:, :, colour].long(), expected)


def test_pixels_handed_out_stay_as_they_are() -> None:
    """The room that a frame had in the spool is used again; the group that had it keeps its own copy."""
    groups = interleaved()
    with FrameSource(line(), Counting(), (8, 8), groups, spool_ram_bytes=10**6) as source:
        early = [source.frames(group).pixels for group in groups]
    for group, pixels in zip(groups, early, strict=True):
        assert pixels[:, :, 0, 0, 0].tolist() == line().frames[group.ticks].tolist()


def test_ticks_with_a_damaged_frame_are_counted_group_by_group() -> None:
    groups = contiguous()  # frames 0-7, 8-15, 16-23, ...
    with FrameSource(line(), Counting(spoilt=frozenset({9, 10, 11, 15, 16})), (8, 8), groups) as source:
        assert [source.damaged_ticks(group) for group in groups] == [0] * 5  # nothing is decoded yet
        for group in groups[:3]:
            source.frames(group)
        assert [source.damaged_ticks(group) for group in groups] == [0, 3, 1, 0, 0]


def test_whatever_ends_the_reader_reaches_the_consumer() -> None:
    reader = Counting(breaks=12)
    with FrameSource(line(), reader, (8, 8), contiguous()) as source, pytest.raises(KeyboardInterrupt):
        for group in contiguous():
            source.frames(group)
    assert reader.closed
    assert decoding() == 0


def test_frames_before_a_break_are_still_handed_out() -> None:
    with FrameSource(line(), Counting(breaks=12), (8, 8), contiguous()) as source:
        assert source.frames(contiguous()[0]).pixels[:, :, 0, 0, 0].flatten().tolist() == list(range(8))
        with pytest.raises(KeyboardInterrupt):
            source.frames(contiguous()[1])
        assert source.decoded == 12


def test_an_error_of_whoever_is_told_the_progress_reaches_the_consumer() -> None:
    def tell(done: int, total: int) -> None:
        raise ZeroDivisionError

    groups = contiguous(100, 50)  # 100 frames; it is told after 64
    told = FrameSource(line(100), Counting(frames=200), (8, 8), groups, progress=tell)
    with told as source, pytest.raises(ZeroDivisionError):
        source.frames(groups[0])
    assert decoding() == 0


def test_a_consumer_that_fails_ends_the_thread() -> None:
    reader = Counting(frames=2000)
    groups = contiguous(1000)
    with pytest.raises(RuntimeError, match="consumer"), FrameSource(line(1000), reader, (8, 8), groups) as source:
        source.frames(groups[0])
        raise RuntimeError("the consumer fails")
    assert reader.closed
    assert decoding() == 0


def test_a_source_outside_its_context_says_so() -> None:
    with pytest.raises(RuntimeError, match="context manager"):
        FrameSource(line(), Counting(), (8, 8), contiguous()).frames(contiguous()[0])


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    with FrameSource(line(), Counting(), (8, 8), contiguous(), progress=lambda *now: told.append(now)) as source:
        source.frames(contiguous()[-1])
    assert told[-1] == (40, 40)


@pytest.mark.parametrize("reader", [DecordReader(1, 2**29), PyAVReader(1)], ids=["decord", "pyav"])
def test_every_frame_of_a_real_file_once(make_video: Callable[..., str], reader: Reader) -> None:
    path = make_video("stream.mp4", frames=150)
    whole = timeline(path, Sampling(None, 10_000, 2), 2, reader)
    groups = [Group(g, torch.arange(g, 75, 4)) for g in range(4)]
    brightness = torch.empty(75, 2)
    with FrameSource(whole, reader, (28, 28), groups, spool_ram_bytes=20_000) as source:
        for index in (3, 0, 2, 1):
            pixels = source.frames(groups[index]).pixels
            assert pixels.shape == (len(groups[index]), 2, 3, 28, 28)
            brightness[groups[index].ticks] = pixels.float().mean((2, 3, 4))
        assert source.decoded == 150
    torch.testing.assert_close(brightness.flatten(), 10 + torch.arange(150).float(), atol=4, rtol=0)
