"""What every reader promises, on real and made clips; and what each one does of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from torch import Tensor

from framework.core.errors import UsageError
from framework.video.errors import VideoError
from framework.video.readers import pyav, torchcodec
from framework.video.readers.base import Reader
from framework.video.readers.decord import DecordReader
from framework.video.readers.pyav import PyAVReader
from framework.video.readers.torchcodec import TorchCodecReader
from tests.fixtures.films import Film, make, number_of

READERS = [DecordReader(1, 2**29), PyAVReader(1)]
IDS = ["decord", "pyav"]
SPECIFIED = {  # frames, height, width as shown
    "nasa_13013.mp4": (390, 270, 480),
    "h265_video.mp4": (10, 128, 128),
    "av1_video.mkv": (125, 360, 640),
    "flipping_a_pancake.mkv": (310, 240, 426),
    "unordered.mov": (4, 50, 50),
    "rotated_90.mov": (3, 568, 320),
    "autogaze_example.mp4": (64, 448, 448),
}


def straight(path: str, frames: list[int]) -> Tensor:
    """The frames by the plainest way there is: all pictures from the start, turned by hand, u8 [n, 3, H, W]."""
    with av.open(path) as container:
        pictures = list(container.decode(container.streams.best("video")))
    arrays = [np.rot90(pictures[n].to_ndarray(format="rgb24"), pictures[n].rotation // 90) for n in frames]
    return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2)


def stacked(reader: Reader, path: str, frames: list[int]) -> Tensor:
    numbers, pictures = zip(*reader.decode(path, frames), strict=True)
    assert list(numbers) == frames
    return torch.stack(pictures)


@pytest.mark.parametrize("reader", READERS, ids=IDS)
@pytest.mark.parametrize("name", SPECIFIED)
def test_clips_give_the_right_pictures(clips: Callable[[str], str], reader: Reader, name: str) -> None:
    count, height, width = SPECIFIED[name]
    info = reader.info(clips(name))
    assert (info.frames, info.height, info.width) == (count, height, width)
    frames = sorted({0, 1, count // 3, count // 2, count - 1})
    got = stacked(reader, clips(name), frames)
    assert got.dtype == torch.uint8
    torch.testing.assert_close(got.int(), straight(clips(name), frames).int(), atol=1, rtol=0)


@pytest.mark.parametrize("reader", READERS, ids=IDS)
@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("seek.mp4", "libx264", {"g": "10", "bf": "2"}),
        ("seek.avi", "mpeg4", {"g": "10", "bf": "2"}),
        ("seek.ts", "libx264", {"g": "10"}),
        ("seek.webm", "libvpx", {"g": "10", "auto-alt-ref": "1", "lag-in-frames": "16"}),
        (
            "open.mkv",
            "libx265",
            {"x265-params": "open-gop=1:bframes=3:keyint=12:min-keyint=12:scenecut=0:log-level=none"},
        ),
    ],
)
def test_a_jump_lands_on_the_right_frame(
    make_video: Callable[..., str], reader: Reader, name: str, codec: str, options: dict[str, str]
) -> None:
    path = make_video(name, frames=100, fps=25, size=(64, 96), codec=codec, **options)
    for frames in ([3, 47, 48, 95], [70], [71], [72], [73], list(range(2, 99, 19))):
        assert torch.equal(stacked(reader, path, frames), straight(path, frames)), frames


@pytest.mark.parametrize("reader", READERS, ids=IDS)
def test_frame_numbers_must_ascend_and_exist(make_video: Callable[..., str], reader: Reader) -> None:
    path = make_video("eight.mp4", frames=8)
    with pytest.raises(ValueError, match=r"ascend"):
        list(reader.decode(path, [3, 3]))
    with pytest.raises(ValueError, match=r"frames 2..8 were asked .* frames 0..7"):
        list(reader.decode(path, [2, 8]))
    assert list(reader.decode(path, [])) == []


@pytest.mark.parametrize("reader", READERS, ids=IDS)
def test_a_reader_can_be_left_in_the_middle(make_video: Callable[..., str], reader: Reader) -> None:
    pictures = reader.decode(make_video("left.mp4", frames=8), list(range(8)))
    assert next(iter(pictures))[0] == 0
    pictures.close()
    assert list(pictures) == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("av1_video.mkv", "cannot find video stream"),
        ("h265_video.mp4", "open GOPs"),
        ("nasa_13013.mp4", "might hold all"),
    ],
)
def test_what_decord_must_not_read_goes_to_pyav_with_one_line(
    clips: Callable[[str], str], caplog: pytest.LogCaptureFixture, name: str, reason: str
) -> None:
    caplog.set_level(logging.INFO, logger="framework.video")
    reader = DecordReader(1, 100_000_000)  # 390 frames of 480 x 270 are 152 MB
    assert torch.equal(stacked(reader, clips(name), [0, 4]), stacked(PyAVReader(1), clips(name), [0, 4]))
    assert len(caplog.records) == 1
    assert "PyAV reads it instead of decord from frame 0 on" in caplog.text
    assert reason in caplog.text


def test_what_decord_reads_well_makes_no_line(make_video: Callable[..., str], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="framework.video")
    path = make_video("fine.mp4", frames=30)
    assert torch.equal(stacked(DecordReader(1, 2**29), path, list(range(30))), straight(path, list(range(30))))
    assert not caplog.records


def _damage(path: str, out: Path, packets: range) -> str:
    """Spoils the type of the HEVC units in `packets`, so that they decode to nothing without an error."""
    with av.open(path) as container:
        places = [p.pos for p in container.demux(video=0) if p.size]
    content = bytearray(Path(path).read_bytes())
    for number in packets:
        content[places[number] + 4] ^= 0x1F
    out.write_bytes(content)
    return str(out)


@pytest.mark.parametrize("reader", READERS, ids=IDS)
def test_lost_frames_are_an_error_and_never_repeated(
    make_video: Callable[..., str], tmp_path: Path, reader: Reader
) -> None:
    options = {"x265-params": "open-gop=0:keyint=50:bframes=0:log-level=none"}
    whole = make_video("lossy.mp4", frames=120, fps=25, size=(64, 96), codec="libx265", **options)
    path = _damage(whole, tmp_path / "lost.mp4", range(70, 80))
    with pytest.raises(VideoError, match=r"lost frames|the decoder leaves it out"):
        list(reader.decode(path, list(range(120))))


def test_filled_in_frames_are_reported(
    make_video: Callable[..., str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = make_video("concealed.mp4", frames=30, fps=25, codec="mpeg4", g="30")
    with av.open(whole) as container:
        places = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    content = bytearray(Path(whole).read_bytes())
    start, size = places[0]
    content[start + size // 2 : start + size] = np.random.default_rng(0).bytes(size - size // 2)
    (tmp_path / "noise.mp4").write_bytes(content)
    list(PyAVReader(1).decode(str(tmp_path / "noise.mp4"), list(range(30))))
    assert [r.message.partition(": ")[2] for r in caplog.records] == [
        "frame 0 is damaged; the decoder filled in what it could"
    ]


def _noise(path: str, out: Path, number: int) -> str:
    """Fills the second half of the packet `number` with noise."""
    with av.open(path) as container:
        start, size = [(p.pos, p.size) for p in container.demux(video=0) if p.size][number]
    content = bytearray(Path(path).read_bytes())
    content[start + size // 2 : start + size] = np.random.default_rng(0).bytes(size - size // 2)
    out.write_bytes(content)
    return str(out)


@pytest.mark.parametrize("wanted", [list(range(72)), [20, 40, 47, 48, 60]])
def test_damage_counts_for_all_frames_up_to_the_next_key_frame(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, wanted: list[int]
) -> None:
    whole = make(Film("mp4", "mpeg4", frames=72), tmp_path / "whole.mp4")  # key frames 0, 24, 48
    path = _noise(whole, tmp_path / "noise.mp4", 30)
    damaged: set[int] = set()
    for number, picture in PyAVReader(1).decode(path, wanted, damaged):
        assert (number in damaged) == (24 <= number < 48)  # and so is what was shown since the key frame
        if number not in damaged:
            assert number_of(picture.permute(1, 2, 0).numpy()) == number
    first = min(damaged)
    assert [m.partition(": ")[2] for m in caplog.messages] == [
        f"frame {first} is damaged; the decoder filled in what it could"
    ]


def test_damage_counts_for_earlier_frames_that_refer_to_it(tmp_path: Path) -> None:
    whole = make(Film("mp4", "mpeg4", bframes=3, frames=24), tmp_path / "whole.mp4")
    with av.open(whole) as container:
        stamps = [packet.pts for packet in container.demux(video=0) if packet.size]
    packet = next(n for n in range(2, 24) if stamps[n] > max(stamps[:n]) and stamps[n + 1] < stamps[n])
    damaged: set[int] = set()
    given = list(PyAVReader(1).decode(_noise(whole, tmp_path / "noise.mp4", packet), range(24), damaged))
    assert [number for number, _ in given] == list(range(24))
    assert damaged >= {sorted(stamps).index(stamp) for stamp in stamps[packet:]}  # what is decoded from there on
    assert min(damaged) < sorted(stamps).index(stamps[packet])


@pytest.mark.parametrize("reader", READERS, ids=IDS)
def test_damage_counts_for_frames_shown_shortly_before_it(tmp_path: Path, reader: Reader) -> None:
    """A decoder notices late: what was shown since the key frame may be wrong too."""
    whole = make(Film("mp4", "mpeg4", frames=72), tmp_path / "whole.mp4")  # key frames 0, 24, 48
    path = _noise(whole, tmp_path / "noise.mp4", 45)
    for wanted, expected in ((range(72), {*range(29, 48)}), ([20, 32, 47, 60], {32, 47}), ([20, 32, 60], set())):
        damaged: set[int] = set()
        assert [number for number, _ in reader.decode(path, list(wanted), damaged)] == list(wanted)
        assert damaged == expected


def test_decord_leaves_damaged_films_to_pyav(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="framework.video.readers.decord")
    path = _noise(make(Film("mp4", "mpeg4", frames=72), tmp_path / "whole.mp4"), tmp_path / "noise.mp4", 30)
    list(DecordReader(1, 2**29).decode(path, [0, 50]))
    assert caplog.messages == [
        f"{path}: PyAV reads it instead of decord from frame 0 on: decord does not tell which frames are damaged"
    ]


def test_a_container_that_cannot_be_searched_is_passed_over(
    make_video: Callable[..., str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="framework.video")
    path = make_video("seek.ts", frames=100, fps=25, size=(64, 96), g="10", bf="2")
    monkeypatch.setattr(pyav, "EARLIER_SECONDS", ())
    assert torch.equal(stacked(PyAVReader(1), path, [5, 47, 95]), straight(path, [5, 47, 95]))
    assert [m.partition(": ")[2] for m in caplog.messages] == [
        f"no jump to key frame {key}; passing over the packets before it" for key in (40, 90)
    ]


def test_decord_leaves_recovery_points_to_pyav(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="framework.video")
    path = make(Film("mp4", gop="refresh", frames=60), tmp_path / "film.mp4")
    assert [n for n, _ in DecordReader(1, 2**29).decode(path, [10, 50])] == [10, 50]
    assert (
        "PyAV reads it instead of decord from frame 10 on: decord misplaces frames after a key frame from which"
        in caplog.text
    )


def test_torchcodec_names_its_extra_when_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torchcodec.decoders", None)
    with pytest.raises(UsageError, match=r"pip install 'tokensieve\[torchcodec\]'"):
        TorchCodecReader(1)


class _Decoder:
    """Stands in for torchcodec's VideoDecoder: same calls, pictures by PyAV; breaks at frame 6."""

    def __init__(self, path: str, dimension_order: str, num_ffmpeg_threads: int, seek_mode: str) -> None:
        assert (dimension_order, seek_mode) == ("NCHW", "exact")
        self.pictures = straight(path, list(range(8)))

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, number: int) -> Tensor:
        if number == 6:
            raise RuntimeError("Could not push packet\nC++ stack")
        return self.pictures[number]


def test_torchcodec_frames_and_errors(make_video: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torchcodec, "decoder_class", lambda: _Decoder)
    path = make_video("codec.mp4", frames=8)
    reader = TorchCodecReader(1)
    assert torch.equal(stacked(reader, path, [0, 3, 7]), straight(path, [0, 3, 7]))
    with pytest.raises(VideoError, match=r"frame 6 cannot be decoded \(Could not push packet\), after 1 of 2 wanted"):
        list(reader.decode(path, [5, 6]))
    with pytest.raises(VideoError, match=r"torchcodec counts 8 frames, the packets 9"):
        next(reader.decode(make_video("nine.mp4", frames=9), [0]))
