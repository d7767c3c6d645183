"""The reduction factor on small networks at random: what is counted, which settings there are, and a small run."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from experiments.autogaze import rates as autogaze_rates
from experiments.autogaze.rates import MADE, Looking, Setting, clips_of, row_of, settings
from experiments.common import read
from strategies.learned.autogaze.gaze import checkpoint
from strategies.learned.autogaze.gaze.calibration import Calibration
from strategies.learned.autogaze.gaze.control import Control
from strategies.learned.autogaze.gaze.model import Gaze, GazeConfig
from strategies.learned.autogaze.gaze.source import Source
from strategies.learned.autogaze.reconstructor.config import ReconstructorConfig
from strategies.learned.autogaze.reconstructor.source import Source as Judge
from strategies.learned.autogaze.training.metrics import nothing

VIDEOS = Path(__file__).parents[2] / "data/video"
TABLE = Calibration("log", (-9.0, 9.0), (0.1, 0.9), (4.0, 1.0), 4)


@pytest.fixture
def gaze(tmp_path: Path) -> str:
    """A gaze with random weights and a calibration."""
    checkpoint.save(Gaze.random(GazeConfig.lab(), 1), tmp_path / "gaze", {"loss_space": "log"}, TABLE.stored())
    return str(tmp_path / "gaze")


def looking(gaze: str, most: int) -> Looking:
    judge = Judge("random:0", ReconstructorConfig.lab().vocabulary)
    return Looking(Source(gaze), judge.network, Control(most))


def test_all_patches_leave_no_error_and_few_do(gaze: str) -> None:
    frames = next(clips_of(Setting(MADE, 4.0, 224, 1), 1, VIDEOS))[:2]
    picks, lost, empty = looking(gaze, 69).clip(frames)
    assert picks == 2 * 4 * 69 and lost < 1e-4
    tiles = [frames[:, :, top : top + 112, left : left + 112] for top in (0, 112) for left in (0, 112)]
    pixels = autogaze_rates.prepare(torch.stack(tiles), 112)
    assert empty == pytest.approx(float(nothing(looking(gaze, 1).network, pixels).sum()))
    picks, lost, _ = looking(gaze, 1).clip(frames)
    assert picks == 2 * 4 and lost > 1


def test_a_row() -> None:
    row = row_of(Setting(MADE, 4.0, 224, 2), [(100, 1.0, 10.0), (300, 3.0, 10.0)], 112, 49)
    assert row["tiles"] == 4 and row["picks"] == 200 / 8
    assert row["reduction"] == pytest.approx(8 * 4 * 49 / 200) and row["error"] == pytest.approx(0.2)
    assert row["reduction_low"] is None, "two clips have no interval"
    row = row_of(Setting(MADE, 4.0, 112, 8), [(8 + n, 1.0, 10.0) for n in range(8)], 112, 49)
    assert row["reduction_low"] < row["reduction"] < row["reduction_high"]


def test_settings() -> None:
    chosen = {**autogaze_rates.DEFAULTS, "videos": str(VIDEOS)}
    asked = settings(chosen, 112)
    made = {(one.fps, one.size): one.clips for one in asked if one.video == MADE}
    assert len(made) == 6 + 2 * 5 and made[1.0, 112] == 64 and made[30.0, 896] == 4 and made[4.0, 3584] == 1
    real = {(one.video, one.fps, one.size) for one in asked if one.video != MADE}
    assert ("autogaze_example.mp4", 4.0, 448) in real and ("nasa_13013.mp4", 29.97, 224) in real
    assert ("nasa_13013.mp4", 29.97, 448) not in real, "no real clip is blown up"
    with pytest.raises(SystemExit, match=r"sizes: got \[100\], expected multiples of 112"):
        settings({**chosen, "sizes": "112,100"}, 112)


def test_real_clips_keep_time() -> None:
    slow = next(clips_of(Setting("autogaze_example.mp4", 4.0, 112, 1), 0, VIDEOS))
    fast = next(clips_of(Setting("autogaze_example.mp4", 25.0, 112, 1), 0, VIDEOS))
    assert slow.shape == fast.shape == (8, 3, 112, 112) and slow[0].equal(fast[0])
    assert slow[1].equal(fast[6]), ".25 s later, frame 6 of 25 a second"


def test_all_of_it(
    gaze: str, workplace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(autogaze_rates, "VIDEOS", autogaze_rates.VIDEOS[:1])
    monkeypatch.setattr(autogaze_rates, "PER_VIDEO", 1)
    words = [f"gaze={gaze}", "reconstructor=random:0", "fps=4,30", "sizes=112,224", "sized=30", "clips=2"]
    words += [f"videos={VIDEOS}", f"results={workplace}"]
    autogaze_rates.main(words)
    rows = read(workplace / "autogaze_rates.csv")
    assert [(row["epsilon"], row["video"], row["fps"], row["size"]) for row in rows] == [
        (epsilon, *setting)
        for epsilon in (0.3, 0.1)
        for setting in (
            (MADE, 4, 112),
            (MADE, 30, 112),
            (MADE, 30, 224),
            ("autogaze_example.mp4", 4, 112),
            ("autogaze_example.mp4", 25, 112),
        )
    ]
    picks = [[row["picks"] for row in rows if row["epsilon"] == epsilon] for epsilon in (0.3, 0.1)]
    assert all(few <= many for few, many in zip(*picks, strict=True))
    assert all(1 <= row["picks"] / row["tiles"] <= 4 for row in rows), "no more than the calibration allowed"
    assert all(row["reduction"] == pytest.approx(49 * row["tiles"] / row["picks"]) for row in rows)
    assert autogaze_rates.table(rows) in capsys.readouterr().out
    assert Image.open(workplace / "autogaze_rates.png").width > 200
    files = {path: path.stat().st_mtime_ns for path in (workplace / "outputs").rglob("*.json")}
    autogaze_rates.main(words)
    assert len(files) == 10 and {path: path.stat().st_mtime_ns for path in files} == files


def test_weights_without_a_calibration() -> None:
    with pytest.raises(SystemExit, match=r"epsilon=0\.3 needs a calibration saved with the weights, and random:0 has"):
        autogaze_rates.main(["gaze=random:0", "reconstructor=random:0"])
