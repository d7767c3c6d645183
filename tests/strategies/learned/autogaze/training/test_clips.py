"""Clips of both sources: by index alone, named for labels, stored once, and mistakes by their keys."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
import torch

from framework.core.errors import UsageError
from framework.video.readers.pyav import PyAVReader
from strategies.learned.autogaze.training.clips import ClipSettings, FolderClips, MadeClips, StoredClips, clips, square

SETTINGS = ClipSettings(3, 2, (4.0, 8.0), 1, 2, None, None, None, 1)


def write(path: Path, frames: int, height: int = 48, width: int = 80, fps: int = 10) -> None:
    """Frame n is grey of 8 n in its central square and black beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.height, stream.width, stream.pix_fmt, stream.options = height, width, "yuv420p", {"crf": "5"}
        for number in range(frames):
            pixels = np.zeros((height, width, 3), np.uint8)
            pixels[:, (width - height) // 2 : (width + height) // 2] = 8 * number
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())


def shades(clip: torch.Tensor) -> list[int]:
    return [round(float(frame.float().mean()) / 8) for frame in clip]


def test_made_clips() -> None:
    source = MadeClips(seed=1, count=3, size=32, frames=4, fps=(2.0, 30.0))
    assert source.clip(2).shape == (4, 32, 32, 3) and torch.equal(source.clip(2), source.clip(2))
    assert source.name(2) == "procedural/1/2.mp4"
    more = MadeClips(seed=1, count=9, size=32, frames=6, fps=(2.0, 30.0))
    assert torch.equal(more.clip(2)[:4], source.clip(2))


def test_the_central_square_is_square_as_shown() -> None:
    picture = torch.arange(4 * 6).view(1, 4, 6)
    assert torch.equal(square(picture, 4, 6), picture[:, :, 1:5])
    assert torch.equal(square(picture, 4, 12), picture[:, :, 2:4])  # pixels twice as wide as high: two make up for four
    assert torch.equal(square(picture, 8, 6), picture[:, :3])  # twice as high as wide: 6 / 8 of the rows, from row 0 on


def test_a_folder_of_videos(tmp_path: Path) -> None:
    write(tmp_path / "a" / "b" / "one.mp4", 20)
    write(tmp_path / "a" / "two.mp4", 3)
    (tmp_path / "a" / "notes.txt").write_text("no video")
    source = FolderClips(str(tmp_path), PyAVReader(threads=1), 16, 4, None, 2, "recipe.clips.folder")
    assert source.count == 4 and [source.name(i) for i in range(4)] == [
        "a/b/one.mp4",
        "a/b/one.mp4#1",
        f"{tmp_path.name}/a/two.mp4",
        f"{tmp_path.name}/a/two.mp4#1",
    ]
    assert source.clip(0).shape == (4, 16, 16, 3) and shades(source.clip(0)) == [0, 1, 2, 3]
    assert shades(source.clip(1)) == [8, 9, 10, 11]  # the second of two: half of what 20 frames leave room for
    late = FolderClips(str(tmp_path / "a" / "b"), PyAVReader(threads=1), 16, 4, None, 9, "recipe.clips.folder")
    assert shades(late.clip(8)) == [14, 15, 16, 17], "nothing is repeated where there are frames enough"
    assert shades(source.clip(2)) == [0, 1, 2, 2]  # the last is repeated
    slower = FolderClips(str(tmp_path), PyAVReader(threads=1), 16, 4, 5.0, 1, "recipe.clips.folder")
    assert shades(slower.clip(0)) == [0, 2, 4, 6]


def test_stored_clips_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = MadeClips(1, 2, 16, 2, (4.0, 8.0))
    (tmp_path / ".before.npy.99999999.part").write_bytes(b"half")  # of a process that cannot be
    stored = StoredClips(source, tmp_path)
    stored.prepare()
    again = StoredClips(MadeClips(1, 2, 16, 2, (4.0, 8.0)), tmp_path)
    monkeypatch.setattr(MadeClips, "clip", None)
    assert torch.equal(again.clip(1), stored.clip(1)) and again.name(1) == source.name(1)
    assert [file.name for file in tmp_path.iterdir()] == [stored.file.name]
    other = StoredClips(MadeClips(1, 2, 16, 2, (4.0, 9.0)), tmp_path)
    assert other.file != stored.file


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MadeClips, "clip", None)
    with pytest.raises(TypeError):
        StoredClips(MadeClips(1, 2, 16, 2, (4.0, 8.0)), tmp_path).prepare()
    assert not list(tmp_path.iterdir())


def test_from_settings(tmp_path: Path) -> None:
    made, held_out = clips(SETTINGS, 16, 2, lambda: PyAVReader(threads=1), tmp_path)
    assert (made.count, held_out.count) == (3, 2) and held_out.name(0) == "procedural/2/0.mp4"
    write(tmp_path / "train" / "one.mp4", 4)
    write(tmp_path / "test" / "one.mp4", 4)
    own = ClipSettings(3, 2, (4.0, 8.0), 1, 2, str(tmp_path / "train"), str(tmp_path / "test"), None, 1)
    made, held_out = clips(own, 16, 2, lambda: PyAVReader(threads=1), tmp_path)
    assert made.name(0).endswith("train/one.mp4") and held_out.name(0).endswith("test/one.mp4")


def test_mistakes(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"recipe.clips.fps: 0 < low <= high is needed, got 8.0 and 2.0"):
        MadeClips(0, 1, 16, 2, (8.0, 2.0))
    with pytest.raises(ValueError, match=r"recipe.clips: count must be at least 1, got 0"):
        MadeClips(0, 0, 16, 2, (2.0, 8.0))
    with pytest.raises(UsageError, match=r"recipe.clips.folder: got .*, expected a folder with videos"):
        FolderClips(str(tmp_path), PyAVReader(threads=1), 16, 2, None, 1, "recipe.clips.folder")
    with pytest.raises(ValueError, match="held_out_seed must differ"):
        ClipSettings(3, 2, (4.0, 8.0), 2, 2, None, None, None, 1)
    with pytest.raises(ValueError, match=r"recipe.clips.folder and recipe.clips.held_out_folder go together"):
        ClipSettings(3, 2, (4.0, 8.0), 1, 2, "a", None, None, 1)
