"""Cuts found in hand-made packet tables and in a real encoded clip; merging, dividing and the hint by hand."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.core.types import Group, Timeline
from framework.video.table import PacketTable
from strategies.splitters import scene
from strategies.splitters.scene import Scene


def timeline(ticks: int, frames_per_tick: int = 1, path: str = "v.mp4") -> Timeline:
    frames = torch.arange(ticks * frames_per_tick).reshape(ticks, frames_per_tick)
    return Timeline(path, frames[:, 0].double() / 10, frames)


def table(size: list[int], keys: set[int]) -> PacketTable:
    """Ten frames a second."""
    count = np.arange(len(size))
    keyframe = np.isin(count, list(keys))
    whole = np.zeros(len(size), bool)
    return PacketTable(
        count / 10, np.array(size), keyframe, count, count, 0.1, "mov,mp4", count, keyframe, whole, False
    )


def split(monkeypatch: pytest.MonkeyPatch, packets: PacketTable, splitter: Scene, of: Timeline) -> list[Group]:
    monkeypatch.setattr(scene, "packets", lambda path: packets)
    return splitter.split(of)


def starts(groups: list[Group]) -> list[int]:
    return [int(group.ticks[0]) for group in groups]


def test_an_expensive_predicted_frame_is_a_cut_with_a_single_key_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    size = [500] + [10] * 59
    size[20], size[40] = 31, 29  # more, and less, than three times the usual 10
    groups = split(monkeypatch, table(size, {0}), Scene(100, 1, 3.0, 30), timeline(60))
    assert starts(groups) == [0, 20]


def test_key_frames_out_of_turn_are_cuts_those_in_turn_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """The encoder's distance is 20 frames; the key frame at 50 comes 10 after the one at 40."""
    in_turn = table([10] * 100, {0, 20, 40, 50, 70, 90})
    assert starts(split(monkeypatch, in_turn, Scene(1000, 1, 3.0, 30), timeline(100))) == [0, 50]
    unknown = table([10] * 100, {0, 30, 80})  # no distance occurs twice: nothing says what the encoder's is
    assert starts(split(monkeypatch, unknown, Scene(1000, 1, 3.0, 30), timeline(100))) == [0, 30, 80]
    all_intra = table([10] * 30, set(range(30)))
    assert starts(split(monkeypatch, all_intra, Scene(1000, 1, 3.0, 30), timeline(30))) == [0]


def test_a_cut_inside_a_tick_starts_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    cuts = table([10] * 24, {0, 7, 16})  # frames 7 and 16 of two a tick: ticks 4 and 8
    assert starts(split(monkeypatch, cuts, Scene(100, 1, 3.0, 30), timeline(12, frames_per_tick=2))) == [0, 4, 8]


def test_short_scenes_are_merged_and_long_ones_divided_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    cuts = table([10] * 30, {0, 10, 12, 29})  # scenes of 10, 2, 17 and 1 ticks
    groups = split(monkeypatch, cuts, Scene(8, 3, 3.0, 30), timeline(30))
    assert starts(groups) == [0, 5, 10, 16, 23]  # 0..10 in two; 10..30 in three, of 6, 7 and 7
    assert [g.index for g in groups] == [0, 1, 2, 3, 4]


def test_the_hint_is_bytes_per_second_of_predicted_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    size = [900] + [10] * 9 + [700] + [20] * 9
    groups = split(monkeypatch, table(size, {0, 10}), Scene(100, 1, 3.0, 30), timeline(20))
    assert [g.hint for g in groups] == pytest.approx([100.0, 200.0])  # 10 and 20 bytes every tenth of a second
    (still,) = split(monkeypatch, table([9, 9], {0, 1}), Scene(100, 1, 3.0, 30), timeline(2))[:1]
    assert still.hint is None


@settings(max_examples=40, deadline=None)
@given(
    size=st.lists(st.integers(1, 5000), min_size=1, max_size=120),
    keys=st.sets(st.integers(0, 119), max_size=12),
    longest=st.integers(1, 20),
    shortest=st.integers(1, 20),
    step=st.integers(1, 3),
)
def test_every_tick_lies_in_one_group_of_allowed_length(
    size: list[int], keys: set[int], longest: int, shortest: int, step: int
) -> None:
    shortest = min(shortest, longest)
    ticks = -(-len(size) // step)
    with pytest.MonkeyPatch.context() as patch:
        groups = split(patch, table(size, {0} | keys), Scene(longest, shortest, 2.0, 10), timeline(ticks, step))
    assert torch.cat([g.ticks for g in groups]).tolist() == list(range(ticks))
    assert max(len(g) for g in groups) <= longest


def test_cuts_of_a_real_clip_are_found(tmp_path: Path) -> None:
    """Three still noisy pictures of 20 frames each, one key frame: the stream alone tells where they change."""
    noise = np.random.default_rng(0)
    path = tmp_path / "cuts.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        stream.options = {"g": "1000", "sc_threshold": "1000000000"}
        for _picture in range(3):
            picture = np.kron(noise.integers(30, 220, (8, 8, 3)), np.ones((8, 8, 1)))
            for _ in range(20):
                frame = (picture + noise.normal(0, 2, picture.shape)).clip(0, 255).astype(np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    groups = Scene(100, 2, 3.0, 60).split(timeline(30, 2, str(path)))
    assert starts(groups) == [0, 10, 20]
    assert all(group.hint is not None and group.hint > 0 for group in groups)


def test_bad_keys_are_named() -> None:
    with pytest.raises(ValueError, match=r"splitter\.min_ticks must lie in 1\.\.ticks_per_group=4, got 5"):
        Scene(4, 5, 3.0, 30)
    with pytest.raises(ValueError, match=r"splitter\.spike must be >= 1, got 0\.5"):
        Scene(4, 1, 0.5, 30)
    with pytest.raises(ValueError, match=r"splitter\.neighbours must be >= 1 frames, got 0"):
        Scene(4, 1, 3.0, 0)
