"""`sieve gaze` as people meet it, with tiny random networks: everything is written, and errors are one message."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from hydra.core.singleton import Singleton
from PIL import Image

from framework.cli import main
from strategies.learned.autogaze.gaze import checkpoint
from strategies.learned.autogaze.gaze.calibration import Calibration
from strategies.learned.autogaze.gaze.model import Gaze, GazeConfig
from strategies.learned.autogaze.reconstructor import checkpoint as reconstructors
from strategies.learned.autogaze.reconstructor.config import ReconstructorConfig
from strategies.learned.autogaze.reconstructor.model import Reconstructor

VIDEOS = Path(__file__).resolve().parents[4] / "data" / "video"
CLIP = f"video={VIDEOS / 'h265_video.mp4'}"  # 10 frames of 128 x 128
TABLE = Calibration("plain", (-9.0, 0.0, 9.0), (0.2, 0.5, 0.9), (6.0, 3.0, 1.0), 6)
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def sieve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """`sieve("gaze", ...)` in an empty folder: status, what it said, what went wrong."""
    monkeypatch.chdir(tmp_path)
    before = Singleton.get_state()

    def call(*words: str) -> tuple[int, str, str]:
        GlobalHydra.instance().clear()
        status = 0
        try:
            main(words)
        except SystemExit as leaving:
            status = int(leaving.code or 0)
        return (status, *capsys.readouterr())

    yield call
    Singleton.set_state(before)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Overrides that choose tiny networks of 32 pixels, the gaze with a calibration."""
    folder = tmp_path_factory.mktemp("it's tiny")
    gaze = Gaze.random(GazeConfig((16, 32), 8, 16, 1, 2, 32, 4, 1, 3, 1e4, None, 512), 0)
    checkpoint.save(gaze, folder, {}, TABLE.stored())
    torch.manual_seed(0)
    config = ReconstructorConfig((16, 32), 8, 8, 16, 1, 2, 32, 16, 1, 2, 32, True, True, False, True)
    reconstructors.save(Reconstructor(config), folder, {})
    return [f"gaze.checkpoint={folder}", f"reconstructor.checkpoint={folder}", "reader=pyav"]


def test_everything_is_written(sieve: Run, weights: list[str], tmp_path: Path) -> None:
    status, out, err = sieve("gaze", CLIP, *weights, "epsilon=0.7", "most_tiles=4", "hydra.run.dir=here")
    assert status == 0, err
    data = json.loads((tmp_path / "here" / "gaze.json").read_text())
    assert data["tiles"] == [2, 2] and data["frames"] == 10 and data["budget"] == 6
    assert data["loss_threshold"] == pytest.approx(4.5) and data["epsilon"] == 0.7
    with (tmp_path / "here" / "frames.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["clip"]) for row in rows] == [0] * 8 + [1] * 2
    assert sum(int(row["picks"]) for row in rows) == data["kept"] == sum(one["kept"] for one in data["per_scale"])
    lost, empty = (sum(float(row[name]) for row in rows) for name in ("loss", "loss_of_nothing"))
    assert data["error"] == pytest.approx(lost / empty, abs=1e-4) and data["met"] is (data["error"] <= 0.7)
    assert data["reduction"] == pytest.approx(10 * 4 * 16 / data["kept"], abs=1e-4)
    for said in ("10 frames of 128 × 128", "2 clips", "2 × 2 tiles of 32 × 32", "32 px", "times fewer", "predicted",
                 "epsilon   0.7 met" if data["met"] else "epsilon   0.7 not met", "gaze.mp4"):  # fmt: skip
        assert said in out
    assert len(list((tmp_path / "here" / "frames").glob("*.png"))) == 10
    for name in ("gaze.png", "error.png", "frames/000009.png"):
        assert Image.open(tmp_path / "here" / name).width > 500
    with av.open(str(tmp_path / "here" / "gaze.mp4")) as film:
        assert sum(1 for _ in film.decode(video=0)) == 10


def test_one_frame_resized_without_pictures(sieve: Run, weights: list[str], tmp_path: Path) -> None:
    words = ("budget=2", "frames=1", "tiles=1x1", "start=0.5", "pictures=false", "hydra.run.dir=here")
    status, out, err = sieve("gaze", CLIP, *weights, *words)
    assert status == 0, err
    assert "1 frame of" in out and "one picture of 32 × 32" in out and "epsilon" not in out
    assert {p.name for p in (tmp_path / "here").iterdir()} >= {"gaze.png", "error.png", "frames.csv", "gaze.json"}
    assert not (tmp_path / "here" / "gaze.mp4").exists() and not (tmp_path / "here" / "frames").exists()


def test_tiny_frames_are_blown_up_and_an_error_out_of_reach_is_told(sieve: Run, weights: list[str]) -> None:
    words = (f"video={VIDEOS / 'unordered.mov'}", "epsilon=0.1", "tiles=2x2", "pictures=false", "hydra.run.dir=here")
    status, out, err = sieve("gaze", *weights, *words)
    assert status == 0, err
    assert "frames are blown up to 64 × 64 pixels" in out
    assert "epsilon 0.1 is below all that the weights reached when they were calibrated (0.200 with 6 picks" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "video: got nothing"),
        (("video=nowhere [1], 'x'.mp4",), r"there is no file \"nowhere \[1\], 'x'\.mp4\""),
        ((CLIP,), "nothing says when enough is seen: set epsilon=0.3"),
        ((CLIP, "epsilon=0"), r"epsilon must lie within \(0, 1\].* got 0"),
        ((CLIP, "epsilon=-0.1"), r"epsilon must lie within \(0, 1\]"),
        ((CLIP, "epsilon=1.01"), r"epsilon must lie within \(0, 1\]"),
        ((CLIP, "epsilon=nan"), r"epsilon must lie within \(0, 1\]"),
        ((CLIP, "epsilon=small"), "epsilon: got 'small', expected"),
        ((CLIP, "epsilon=0.3", "loss_threshold=0.1"), "epsilon and loss_threshold say when a frame ends in two ways"),
        ((CLIP, "epsilon=0.3", "gaze.checkpoint=random:0"), "epsilon=0.3 needs a calibration saved with the weights"),
        ((CLIP, "loss_threshold=inf", "gaze.checkpoint=random:0"), "loss_threshold must be a finite number"),
        ((CLIP, "budget=70", "gaze.checkpoint=random:0"), r"budget: picks of a frame must be 1 \.\. 69.*got 70"),
        ((CLIP, "loss_threshold=nan", "gaze.checkpoint=random:0"), "^sieve: loss_threshold must be a finite .*nan"),
        ((CLIP, "budget=2", "gaze.checkpoint=nowhere"), r"gaze\.checkpoint: there is no nowhere.*recipe=autogaze_ntp"),
        ((CLIP, "budget=2", "gaze.checkpoint=random:0", "reconstructor.checkpoint=nowhere"),
         r"reconstructor\.checkpoint: nowhere.*does not exist.*train recipe=autogaze_reconstructor"),
        ((CLIP, "budget=2", "gaze.checkpoint=random:0", "reconstructor.checkpoint=random:0", "clip=9"),
         "clip: got 9, the reconstructor takes up to 8 frames"),
        ((CLIP, "budget=2", "gaze.checkpoint=random:0", "reconstructor.checkpoint=random:0", "start=7"),
         "start: got 7.0 s, but the last frame of"),
        ((CLIP, "budget=2", "gaze.checkpoint=random:0", "reconstructor.checkpoint=random:0", "tiles=2x900"),
         "tiles: got 2x900, more than frames of 128 x 128 pixels have"),
        ((CLIP, "budgt=2"), "budgt: there is no such key; did you mean budget"),
    ],
)  # fmt: skip
def test_errors_are_one_message(sieve: Run, words: tuple[str, ...], said: str) -> None:
    status, out, err = sieve("gaze", *words)
    assert status == 2 and out == ""
    assert re.search(said, err), err
    assert err.startswith("sieve: ") and "Traceback" not in err and err.count("\n") == 1
