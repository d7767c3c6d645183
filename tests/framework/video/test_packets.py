"""What packets tell: times, sizes, key frames, open groups of pictures."""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from framework.video.errors import VideoError
from framework.video.packets import packets
from framework.video.readers.base import Reader
from framework.video.readers.decord import DecordReader
from framework.video.readers.pyav import PyAVReader
from tests.fixtures.films import Film, make, number_of


def test_times_sizes_and_key_frames(make_video: Callable[..., str]) -> None:
    path = make_video("gop.mp4", frames=20, g="8", keyint_min="8", sc_threshold="0", bf="2")
    table = packets(path)
    assert table.seconds.tolist() == [n / 2 for n in range(20)]
    assert np.flatnonzero(table.keyframe).tolist() == [0, 8, 16]
    assert 0 < table.bytes.sum() < Path(path).stat().st_size
    assert (table.bytes[table.keyframe].min() > table.bytes[~table.keyframe]).mean() > 0.5
    assert table.last_seconds == 0.5
    assert sorted(table.decode_order.tolist()) == list(range(20))
    assert not table.open_gops


def test_frames_are_in_order_of_presentation(clips: Callable[[str], str]) -> None:
    for name in ("unordered.mov", "nasa_13013.mp4", "h265_video.mp4"):
        path = clips(name)
        with av.open(path) as container:
            stream = container.streams.best("video")
            shown = [float(f.pts * stream.time_base) for f in container.decode(stream)]
        np.testing.assert_allclose(packets(path).seconds, np.array(shown) - shown[0], atol=1e-9)


def test_open_groups_of_pictures_are_seen(make_video: Callable[..., str]) -> None:
    options = {"x265-params": "open-gop=1:bframes=3:keyint=12:min-keyint=12:scenecut=0:log-level=none"}
    table = packets(make_video("open.mp4", frames=40, fps=25, size=(64, 64), codec="libx265", **options))
    assert table.open_gops
    assert table.keyframe.sum() > 1


def test_a_changed_file_is_read_again(make_video: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    path.write_bytes(Path(make_video("four.mp4", frames=4)).read_bytes())
    assert len(packets(str(path))) == 4
    path.write_bytes(Path(make_video("six.mp4", frames=6)).read_bytes())
    assert len(packets(str(path))) == 6


def test_vp8_frames_that_are_never_shown_do_not_count(make_video: Callable[..., str], tmp_path: Path) -> None:
    shown = make_video("shown.webm", frames=12, fps=25, codec="libvpx")
    path = str(tmp_path / "hidden.webm")
    with av.open(shown) as whole, av.open(path, "w") as copy:
        stream = copy.add_stream_from_template(whole.streams.video[0])
        for number, packet in enumerate(p for p in whole.demux(video=0) if p.size):
            content = bytearray(bytes(packet))
            if number == 5:
                content[0] &= ~0x10  # the bit that says: show this frame
            changed = av.Packet(bytes(content))
            changed.pts, changed.dts, changed.time_base = packet.pts, packet.dts, packet.time_base
            changed.is_keyframe, changed.stream = packet.is_keyframe, stream
            copy.mux(changed)
    with av.open(path) as container:
        decoded = len(list(container.decode(video=0)))
    assert decoded == len(packets(path)) == 11
    assert 0.2 not in packets(path).seconds.round(3)


STEP = 1001 / 30000  # seconds from one picture of a film to the next


read = PyAVReader(1).decode


def numbers(path: str, frames: list[int]) -> list[int]:
    """The numbers that these frames of a film carry."""
    return [number_of(picture.permute(1, 2, 0).numpy()) for _, picture in read(path, frames)]


def remux(film: str, out: Path, first: int = 0, shift: float = 0, **options: str) -> str:
    """Copies the film's packets from number `first` on, with times moved by `shift` seconds."""
    with av.open(film) as whole, av.open(str(out), "w", options=options) as copy:
        stream = copy.add_stream_from_template(whole.streams.video[0])
        for packet in [packet for packet in whole.demux(video=0) if packet.size][first:]:
            packet.pts += round(shift / packet.time_base)
            packet.dts += round(shift / packet.time_base)
            packet.stream = stream
            copy.mux(packet)
    return str(out)


def test_parts_whose_clock_begins_anew_follow_one_another(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="framework.video")
    part = Path(make(Film("ts", bframes=3, frames=60), tmp_path / "part.ts")).read_bytes()
    (tmp_path / "both.ts").write_bytes(part + part)
    table = packets(str(tmp_path / "both.ts"))
    np.testing.assert_allclose(table.seconds, np.arange(120) * STEP, atol=1e-4)
    assert table.counted
    assert [record.message.partition(": ")[2] for record in caplog.records] == [
        "its clock begins anew (what comes later in the file is shown later); "
        "all of it is decoded once to find its frames"
    ]
    assert numbers(str(tmp_path / "both.ts"), [0, 59, 60, 75, 119]) == [0, 59, 0, 15, 59]


def test_the_clock_of_a_broadcast_may_jump_ahead(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="framework.video")
    parts = [make(Film("ts", bframes=3, frames=60, start=n), tmp_path / f"{n}.ts") for n in (0, 60)]
    (tmp_path / "both.ts").write_bytes(b"".join(Path(part).read_bytes() for part in parts))
    table = packets(str(tmp_path / "both.ts"))
    np.testing.assert_allclose(table.seconds, np.arange(120) * STEP, atol=1e-4)
    assert not table.counted
    assert caplog.messages == [f"{tmp_path / 'both.ts'}: its clock jumps ahead; the jump is left out"]
    assert numbers(str(tmp_path / "both.ts"), [59, 60, 100]) == [59, 0, 40]


def test_a_film_that_begins_between_key_frames_begins_with_the_first_that_can_be_shown(tmp_path: Path) -> None:
    path = remux(make(Film("ts", bframes=3, frames=60), tmp_path / "whole.ts"), tmp_path / "late.ts", first=10)
    table = packets(path)
    assert (len(table), bool(table.keyframe[0])) == (36, True)  # pictures 24 to 59; 10 to 23 cannot be shown
    np.testing.assert_allclose(table.seconds, np.arange(36) * STEP, atol=1e-4)
    assert numbers(path, [0, 35]) == [24, 59]


@pytest.mark.parametrize("reader", [PyAVReader(0), DecordReader(0, 2**29)], ids=["pyav", "decord"])
@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
def test_a_webm_that_begins_between_key_frames_begins_with_the_first(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, codec: str, reader: Reader
) -> None:
    caplog.set_level(logging.INFO, logger="framework.video.packets")
    whole = make(Film("webm", codec, frames=60), tmp_path / "whole.webm")
    path = remux(whole, tmp_path / "late.webm", first=10, shift=-10 * STEP)
    info = reader.info(path)
    np.testing.assert_allclose(info.seconds, np.arange(36) * STEP, atol=1e-3)
    shown = [number_of(p.permute(1, 2, 0).numpy()) for _, p in reader.decode(path, range(36))]
    assert shown == list(range(24, 60))
    said = [record.message for record in caplog.records if record.name == "framework.video.packets"]
    assert said == [f"{path}: it begins between key frames; its first 14 packets are passed over"]


def not_coded(film: str, out: Path, numbers: set[int]) -> str:
    """Copies an MPEG-4 film; the packets of these numbers say: go on showing the picture before."""
    with av.open(film) as whole, av.open(str(out), "w") as copy:
        stream = copy.add_stream_from_template(whole.streams.video[0])
        for number, packet in enumerate([packet for packet in whole.demux(video=0) if packet.size]):
            if number in numbers:
                bits = f"{int.from_bytes(bytes(packet)[4:12]):064b}"
                head = bits[: bits.index("0", 2) + 2 + 15 + 1]  # up to the mark; 15 bits count 30,000 steps in a second
                head += "00" + "1" * (-len(head + "00") % 8)
                empty = av.Packet(bytes(packet)[:4] + int(head, 2).to_bytes(len(head) // 8))
                empty.pts, empty.dts, empty.time_base = packet.pts, packet.dts, packet.time_base
                empty.duration, packet = packet.duration, empty
            packet.stream = stream
            copy.mux(packet)
    return str(out)


@pytest.mark.parametrize("reader", [PyAVReader(0), DecordReader(0, 2**29)], ids=["pyav", "decord"])
@pytest.mark.parametrize("container", ["mp4", "avi", "mkv", "ts"])
def test_a_picture_that_is_not_coded_is_no_frame(tmp_path: Path, container: str, reader: Reader) -> None:
    whole = make(Film(container, "mpeg4", frames=60), tmp_path / f"whole.{container}")
    path = not_coded(whole, tmp_path / f"held.{container}", {21, 22, 23, 47})
    left = [n for n in range(60) if n not in {21, 22, 23, 47}]
    info, damaged = reader.info(path), set[int]()
    np.testing.assert_allclose(info.seconds, np.array(left) * STEP, atol=1e-3)
    shown = [number_of(p.permute(1, 2, 0).numpy()) for _, p in reader.decode(path, range(56), damaged)]
    assert (shown, damaged) == (left, set())


@pytest.mark.parametrize(("bframes", "last"), [(0, 46), (3, 70)])  # frame 47 is the key frame 48: one is lost
def test_no_picture_behind_a_lost_packet_of_an_avi_is_wrong_without_a_word(
    tmp_path: Path, bframes: int, last: int
) -> None:
    whole = make(Film("avi", bframes=bframes, frames=72), tmp_path / "whole.avi")
    with av.open(whole) as container:
        place = [packet.pos for packet in container.demux(video=0) if packet.size][30]
    content = bytearray(Path(whole).read_bytes())
    content[place - 8 : place - 4] = b"JUNK"  # in place of the packet's kind
    (tmp_path / "lost.avi").write_bytes(content)
    table, damaged = packets(str(tmp_path / "lost.avi")), set[int]()
    assert len(table) == 71
    for number, picture in read(str(tmp_path / "lost.avi"), range(71), damaged):
        right = number_of(picture.permute(1, 2, 0).numpy()) == round(table.seconds[number] / STEP)
        assert right or number in damaged
    assert min(damaged) >= 24
    assert max(damaged) == last


def test_pictures_before_time_0_are_not_shown(tmp_path: Path) -> None:
    whole = make(Film(bframes=3, frames=60), tmp_path / "whole.mp4")
    path = remux(whole, tmp_path / "cut.mkv", shift=-10 * STEP, avoid_negative_ts="disabled")
    assert len(packets(path)) == 50
    assert numbers(path, [0, 1, 13, 14, 49]) == [10, 11, 23, 24, 59]


def test_a_matroska_clock_that_begins_later_promises_no_more(tmp_path: Path) -> None:
    path = make(Film("mkv", frames=60, start=100), tmp_path / "late.mkv")
    assert len(packets(path)) == 60
    with av.open(path) as container:
        assert container.duration > 100 * av.time_base  # counted from 0


def test_a_wrong_length_in_a_header_that_is_often_wrong_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = Path(make(Film("flv", frames=60), tmp_path / "long.flv"))
    content = bytearray(path.read_bytes())
    struct.pack_into(">d", content, content.index(b"duration") + 9, 3600.0)
    path.write_bytes(content)
    assert len(packets(str(path))) == 60
    assert caplog.messages == [f"{path}: its header promises 3600.0 s, it holds 2.0 s; all of them are read"]


def test_pictures_without_times_come_at_the_frame_rate(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="framework.video")
    path = make(Film("mpg", "mpeg2video", bframes=2, frames=200), tmp_path / "film.mpg")
    np.testing.assert_allclose(packets(path).seconds, np.arange(200) * STEP, atol=1e-4)
    packets(path)
    assert caplog.messages == [
        f"{path}: not every picture has a time of its own; all of it is decoded once to find its frames"
    ]


@pytest.mark.parametrize("container", ["avi", "mpg"])
def test_uneven_times_of_counted_pictures_are_a_warning(
    tmp_path: Path, container: str, caplog: pytest.LogCaptureFixture
) -> None:
    codec = "mpeg2video" if container == "mpg" else "mpeg4"
    for rate, told in (("29.97", []), ("gap", [4.0])):
        caplog.clear()
        film = Film(container, codec, bframes=2, rate=rate)
        packets(make(film, tmp_path / f"{rate}.{container}"))
        said = [float(m.split("up to ")[1].split()[0]) for m in caplog.messages if "its times are uneven" in m]
        assert said == pytest.approx(told, abs=0.1)


def test_a_lost_packet_of_a_broadcast_damages_the_frames_up_to_the_next_key_frame(tmp_path: Path) -> None:
    whole = Path(make(Film("ts", bframes=3, frames=96), tmp_path / "whole.ts"))
    content = whole.read_bytes()
    with av.open(str(whole)) as container:
        places = [(p.pos, p.pts) for p in container.demux(video=0) if p.size]
    lost = places[30][0] + 188  # the second piece of a picture between the key frames 24 and 48
    (tmp_path / "lost.ts").write_bytes(content[:lost] + content[lost + 188 :])
    table = packets(str(tmp_path / "lost.ts"))
    bad = np.flatnonzero(table.damaged)
    assert 90 <= len(table) <= 96
    assert 24 <= bad.min() <= 34
    assert bad.max() == np.flatnonzero(table.keyframe)[2] - 1


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
def test_a_broadcast_is_read_whichever_packet_is_lost(tmp_path: Path, codec: str) -> None:
    whole = make(Film("ts", codec, "open", 3, frames=72), tmp_path / "whole.ts")
    content = Path(whole).read_bytes()
    right = {number_of(p): p for _, p in ((n, p.permute(1, 2, 0).numpy()) for n, p in read(whole, range(72)))}
    pieces = len(content) // 188
    for lost in range(pieces // 4, pieces // 2, 5):
        path = tmp_path / f"{lost}.ts"
        path.write_bytes(content[: lost * 188] + content[(lost + 1) * 188 :])
        table, damaged = packets(str(path)), set[int]()
        for number, picture in read(str(path), range(len(table)), damaged):
            same = np.array_equal(picture.permute(1, 2, 0), right[round(table.seconds[number] / STEP)])
            assert same or number in damaged, (lost, number)


def test_a_torn_file_with_a_header_that_can_be_trusted_is_refused(tmp_path: Path) -> None:
    whole = make(Film("mp4", frames=60), tmp_path / "whole.mp4")
    fast = remux(whole, tmp_path / "fast.mp4", movflags="faststart")
    content = Path(fast).read_bytes()
    (tmp_path / "torn.mp4").write_bytes(content[:-50])
    with pytest.raises(VideoError, match=r"the file is cut off"):
        packets(str(tmp_path / "torn.mp4"))
