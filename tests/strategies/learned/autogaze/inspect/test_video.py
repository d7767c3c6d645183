"""A video gazed at in tiles and clips: what is looked at, and that tiles and clips are what they are alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from framework.core.errors import UsageError
from framework.video.info import VideoInfo
from framework.video.readers.pyav import PyAVReader
from strategies.learned.autogaze.gaze import checkpoint
from strategies.learned.autogaze.gaze.calibration import Calibration
from strategies.learned.autogaze.gaze.control import Control
from strategies.learned.autogaze.gaze.model import Gaze, GazeConfig
from strategies.learned.autogaze.gaze.pixels import normalise
from strategies.learned.autogaze.gaze.source import Source
from strategies.learned.autogaze.inspect.video import Gazer, GazeSettings
from strategies.learned.autogaze.reconstructor.config import ReconstructorConfig
from strategies.learned.autogaze.reconstructor.model import Reconstructor

CLIP = str(Path(__file__).parents[4] / "data" / "video" / "h265_video.mp4")  # 10 frames of 128 x 128 in a second
SIDE = 32
GAZE = GazeConfig((16, SIDE), 8, 16, 1, 2, 32, 4, 1, 3, 1e4, None, 512)
RECONSTRUCTOR = ReconstructorConfig((16, SIDE), 8, 4, 16, 1, 2, 32, 16, 1, 2, 32, True, True, False, True)
PLAIN: dict[str, Any] = {
    "epsilon": None, "loss_threshold": None, "budget": 3, "start": 0.0, "fps": None, "frames": 64, "clip": 4,
    "tiles": "auto", "most_tiles": 16, "batch": 2,
}  # fmt: skip


def gazer(grid: tuple[int, int], budget: float | int = 3, space: Any = "plain", batch: int = 2) -> Gazer:
    torch.manual_seed(0)
    network = Reconstructor(RECONSTRUCTOR).eval()
    torch.nn.init.normal_(network.predict.weight, std=0.1)
    return Gazer(Gaze.random(GAZE, 0), network.requires_grad_(False), Control(budget), space, grid, 4, batch)


def noise(*shape: int) -> torch.Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def test_a_tile_is_what_it_is_alone() -> None:
    frames = noise(3, 3, 2 * SIDE, 3 * SIDE)
    whole, losses, picks = gazer((2, 3)).look(frames, (0, 1, 2)), [], 0
    for row in range(2):
        for column in range(3):
            at = (..., slice(row * SIDE, (row + 1) * SIDE), slice(column * SIDE, (column + 1) * SIDE))
            alone = gazer((1, 1)).look(frames[at], (0, 1, 2))
            assert (whole.images[at].int() - alone.images.int()).abs().max() <= 1  # bytes of floats
            assert whole.tiled.picks.lists()[3 * row + column] == alone.tiled.picks.lists()[0]
            losses.append(torch.stack([alone.loss, alone.nothing, alone.predicted]))
            picks += int(alone.tiled.picks.valid.sum())
    mean = torch.stack(losses).mean(0)
    assert torch.stack([whole.loss, whole.nothing, whole.predicted]).allclose(mean, atol=1e-5)
    assert picks == 6 * 3 * 3 == int(whole.tiled.picks.valid.sum())


def test_losses_are_mean_differences_of_normalised_pixels() -> None:
    frames = noise(2, 3, SIDE, SIDE)
    some = gazer((1, 1)).look(frames, (0, 1))
    apart = (normalise(frames.float()) - normalise(some.images.float())).abs().flatten(1).mean(1)
    assert some.loss.allclose(apart, atol=0.25)  # images are clipped and rounded
    everything = gazer((1, 1), 1.0).look(frames, (0, 1))
    assert everything.images.equal(frames) and float(everything.loss.max()) < 1e-5 < float(everything.nothing.min())
    assert everything.nothing.allclose(some.nothing, atol=1e-5)


def test_the_predicted_loss_is_that_after_the_last_pick() -> None:
    frames, looking = noise(2, 3, SIDE, SIDE), gazer((1, 1), 3)
    picks = looking.look(frames, (0, 1)).tiled.picks
    assert picks.predicted is not None
    assert looking.look(frames, (0, 1)).predicted.allclose(picks.predicted[0, :, 2])
    torch.nn.init.zeros_(looking.gaze.loss_head.weight)
    assert looking.look(frames, (0, 1)).predicted.tolist() == [0, 0]
    logs = Gazer(looking.gaze, looking.reconstructor, looking.control, "log", (1, 1), 4, 2)
    assert logs.look(frames, (0, 1)).predicted.tolist() == [1, 1]


def test_clips_follow_one_another_and_the_last_is_short() -> None:
    seen = list(gazer((1, 1)).clips(CLIP, list(range(10)), PyAVReader(1)))
    assert [clip.numbers for clip in seen] == [(0, 1, 2, 3), (4, 5, 6, 7), (8, 9)]
    alone = next(iter(gazer((1, 1)).clips(CLIP, [8, 9], PyAVReader(1))))
    assert alone.images.equal(seen[2].images) and alone.frames.shape == (2, 3, SIDE, SIDE)
    (one,) = gazer((1, 2)).clips(CLIP, [5], PyAVReader(1))
    assert one.images.shape == (1, 3, SIDE, 2 * SIDE) and one.loss.shape == (1,)


def test_which_frames() -> None:
    info = VideoInfo("x.mp4", np.arange(10) / 10, 8, 8, 1.0, 0, False, (8, 8))
    for changes, wanted in (
        ({}, list(range(10))),
        ({"frames": 3}, [0, 1, 2]),
        ({"start": 0.55}, [6, 7, 8, 9]),
        ({"start": 0.9}, [9]),
        ({"fps": 2.5}, [0, 4, 8]),
        ({"fps": 5.0, "start": 0.2, "frames": 3}, [2, 4, 6]),
        ({"fps": 100.0, "frames": 30}, [0, 1, 2]),
    ):
        assert GazeSettings(**PLAIN | changes).chosen(info) == wanted
    with pytest.raises(UsageError, match=r"start: got 1.0 s, but the last frame of x.mp4 is shown at 0.900 s"):
        GazeSettings(**PLAIN | {"start": 1.0}).chosen(info)


def test_how_many_tiles() -> None:
    auto = GazeSettings(**PLAIN)
    sizes = {(8, 8): (1, 1), (112, 112): (1, 1), (270, 480): (2, 4), (448, 448): (4, 4)}
    assert {size: auto.grid(*size, 112) for size in sizes} == sizes
    for size in ((3584, 3584), (2160, 3840), (112, 11200), (50, 9000)):
        rows, columns = auto.grid(*size, 112)
        assert 8 <= rows * columns <= 16
    given = GazeSettings(**PLAIN | {"tiles": "5x7"})
    assert given.grid(448, 448, 112) == (5, 7)
    with pytest.raises(UsageError, match="tiles: got 5x7, more than frames of 4 x 448 pixels have"):
        given.grid(4, 448, 112)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"epsilon": 0.0}, r"epsilon must lie within \(0, 1\]"),
        ({"epsilon": 1.5}, r"epsilon must lie within \(0, 1\]"),
        ({"epsilon": float("nan")}, r"epsilon must lie within \(0, 1\]"),
        ({"epsilon": 0.3, "loss_threshold": 0.1}, "two ways"),
        ({"budget": None}, "nothing says when enough is seen"),
        ({"frames": 0}, "frames must be at least 1, got 0"),
        ({"start": -1.0}, "start must be seconds"),
        ({"fps": 0.0}, "fps must be above 0"),
        ({"tiles": "0x2"}, "tiles must be ROWSxCOLUMNS"),
        ({"tiles": "many"}, "tiles must be ROWSxCOLUMNS"),
    ],
)
def test_settings_that_cannot_be_meant(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        GazeSettings(**PLAIN | changes)


def test_the_control_follows_the_weights(tmp_path: Path) -> None:
    table = Calibration("plain", (0.1, 0.2, 0.4), (0.25, 0.5, 0.9), (6.0, 3.0, 1.0), 9)
    checkpoint.save(Gaze.random(GAZE, 0), tmp_path, {}, table.stored())
    calibrated, plain = Source(str(tmp_path)), Source("random:0")
    asked = GazeSettings(**PLAIN | {"epsilon": 0.5, "budget": None})
    control = asked.control(calibrated)
    assert control.budget == 9 and control.loss_threshold == pytest.approx(0.2)
    assert GazeSettings(**PLAIN | {"loss_threshold": 7.0, "budget": None}).control(plain) == Control(1.0, 7.0)
    with pytest.raises(ValueError, match=r"epsilon=0\.5 needs a calibration saved with the weights, and random:0 has"):
        asked.control(plain)
    with pytest.raises(ValueError, match=r"^budget: picks of a frame must be 1 \.\. 69"):
        GazeSettings(**PLAIN | {"budget": 70}).control(plain)
    with pytest.raises(ValueError, match=r"^budget: picks.* must lie within \(0, 1\], got 1.5"):
        GazeSettings(**PLAIN | {"budget": 1.5}).control(plain)
