"""What packets tell: times, sizes, key frames, open groups of pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

from framework.video.packets import packets


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
