"""What the packets of a file say: times that the file gives and no guesses, and which key frames are clean starts."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from framework.video.demux import NONE, list_packets
from framework.video.errors import VideoError
from tests.fixtures.films import KEY_EVERY, Film, make


@pytest.mark.parametrize("container", ["mp4", "ts"])  # units behind their length, and behind start codes
@pytest.mark.parametrize(("gop", "clean"), [("closed", [0, 24, 48]), ("refresh", [0])])
def test_a_recovery_point_is_no_clean_start(tmp_path: Path, container: str, gop: str, clean: list[int]) -> None:
    listing = list_packets(make(Film(container, gop=gop, frames=60), tmp_path / f"film.{container}"))
    assert KEY_EVERY == 24
    assert np.flatnonzero(listing.keyframe).tolist() == [0, 24, 48]
    assert np.flatnonzero(listing.clean).tolist() == clean


def test_a_codec_without_recovery_points_has_clean_starts_only(tmp_path: Path) -> None:
    listing = list_packets(make(Film("webm", "libvpx-vp9", frames=30), tmp_path / "film.webm"))
    assert listing.keyframe.tolist() == listing.clean.tolist() == [n in {0, 24} for n in range(30)]


def test_no_time_is_guessed_where_pictures_are_reordered(tmp_path: Path) -> None:
    reordered = list_packets(make(Film("avi", bframes=3, frames=30), tmp_path / "b3.avi"))
    assert (reordered.stamps == NONE).all()
    assert reordered.clocks.tolist() == list(range(30))
    straight = list_packets(make(Film("avi", bframes=0, frames=30), tmp_path / "b0.avi"))
    assert straight.stamps.tolist() == straight.clocks.tolist() == list(range(30))


def test_a_raw_stream_has_no_times(tmp_path: Path) -> None:
    with (
        av.open(make(Film(frames=10), tmp_path / "film.mp4")) as whole,
        av.open(str(tmp_path / "raw.h264"), "w", format="h264") as raw,
    ):
        stream = raw.add_stream_from_template(whole.streams.video[0])
        for packet in whole.demux(video=0):
            if packet.size:
                packet.stream = stream
                raw.mux(packet)
    with pytest.raises(VideoError, match=r"its frames carry no times \(a raw stream\)"):
        list_packets(str(tmp_path / "raw.h264"))
