"""What a gaze leaves behind: figures against numbers by hand, panels against the pixels they stand for, the film."""

from __future__ import annotations

import csv
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from framework.report.film import Film
from strategies.learned.autogaze.gaze.picks import Picks
from strategies.learned.autogaze.gaze.tiling import Tiled
from strategies.learned.autogaze.gaze.vocabulary import Vocabulary
from strategies.learned.autogaze.inspect.figures import Figures, FrameFigures, figures_of
from strategies.learned.autogaze.inspect.pictures import COLOURS, DIMMED, curve, overview, shots
from strategies.learned.autogaze.inspect.video import Seen

WORDS = Vocabulary((160, 320))  # grids of 10 and 20


def seen(ids: list[list[list[int]]], rows: int = 1, columns: int = 1, side: int = 320) -> Seen:
    """Clip of as many frames as each tile has lists of ids."""
    picks, count = Picks.of(ids, WORDS), len(ids[0])
    made = torch.Generator().manual_seed(0)
    frames = torch.randint(0, 256, (count, 3, rows * side, columns * side), dtype=torch.uint8, generator=made)
    losses = torch.arange(1.0, count + 1)
    return Seen(
        tuple(range(5, 5 + count)), frames, 255 - frames, Tiled(picks, rows, columns),
        losses, torch.full((count,), 4.0), losses / 2, 0.5, 0.25,
    )  # fmt: skip


def test_figures_by_hand(tmp_path: Path) -> None:
    clip = seen([[[0, 100, 101], [1]], [[5], [100, 2]]], 1, 2)
    own = figures_of(clip, 3, [0.5, 0.6], WORDS)
    assert own == [FrameFigures(5, 0.5, 3, (2, 2), 1.0, 4.0, 0.5), FrameFigures(6, 0.6, 3, (2, 1), 2.0, 4.0, 1.0)]
    figures = Figures(tuple(own), WORDS, 2, 0.4)
    assert (own[1].error, own[1].predicted_error) == (0.5, 0.25)
    assert figures.per_scale == [4, 3] and figures.kept == 7
    assert figures.words == [2 * 2 * 100, 2 * 2 * 400] and figures.reduction == 1600 / 7
    assert figures.error == 3 / 8 and figures.predicted_error == 1.5 / 8
    assert figures.met is True and figures.frames_within == 1
    assert Figures(tuple(own), WORDS, 2, 0.37).met is False
    assert Figures(tuple(own), WORDS, 2, None).summary()["met"] is None
    assert figures.summary()["share_of_all_scales"] == 7 / 2000
    figures.write(tmp_path / "frames.csv")
    with (tmp_path / "frames.csv").open() as file:
        first = next(csv.DictReader(file))
    assert first["frame"] == "5" and first["picks_160"] == first["picks_320"] == "2" and first["error"] == "0.25"


def test_nothing_to_lose_is_no_error() -> None:
    assert FrameFigures(0, 0.0, 0, (1, 0), 0.0, 0.0, 0.0).error == 0


def test_a_picked_patch_is_shown_the_rest_is_dimmed() -> None:
    clip = seen([[[100 + 20 + 3]]])  # row 1, column 3 of the finest grid: 16 pixels each
    (shot,) = shots(clip, WORDS, figures_of(clip, 0, [0.0], WORDS))
    plain, gazed, rebuilt = shot.panels
    pixels = clip.frames[0].permute(1, 2, 0).numpy()
    assert (plain == pixels).all() and (rebuilt == 255 - pixels).all()
    inside = (slice(17, 31), slice(49, 63))
    assert (gazed[inside] == pixels[inside]).all()
    for edge in ((16, slice(48, 64)), (31, slice(48, 64)), (slice(16, 32), 48), (slice(16, 32), 63)):
        assert (gazed[edge] == COLOURS[1]).all()
    outside = np.ones(pixels.shape[:2], bool)
    outside[16:32, 48:64] = False
    assert np.abs(gazed[outside] - pixels[outside] * DIMMED).max() <= 1
    assert shot.strip.shape == (320, 3 * 320 + 16, 3)


def test_tiles_lie_where_they_were_cut_and_fine_patches_on_top() -> None:
    clip = seen([[[0]], [[0, 100]]], 1, 2)  # coarse: 32 pixels; the second tile begins at 320 of 640, shown at 512
    (shot,) = shots(clip, WORDS, figures_of(clip, 0, [0.0], WORDS))
    gazed = shot.panels[1]
    assert gazed.shape == (256, 512, 3)
    assert (gazed[0, :13] == COLOURS[0]).all() and (gazed[0, 256:269] == COLOURS[1]).all()
    assert (gazed[0, 270:281] == COLOURS[0]).all()


def test_pictures_are_written(tmp_path: Path) -> None:
    clip = seen([[[0, 100], [1], [2, 3]]])
    own = figures_of(clip, 0, [0.0, 0.1, 0.2], WORDS)
    overview(tmp_path / "gaze.png", shots(clip, WORDS, own), WORDS)
    curve(tmp_path / "error.png", Figures((*own, FrameFigures(9, 1.0, 1, (1, 1), 1.0, 2.0, -0.5)), WORDS, 1, 0.3))
    for name in ("gaze.png", "error.png"):
        picture = np.asarray(Image.open(tmp_path / name).convert("L"))
        assert picture.shape[1] > 500 and picture.std() > 10


def test_a_film_has_its_pictures(tmp_path: Path) -> None:
    killed = tmp_path / ".before.mp4.99999999.part"  # of a process that cannot be
    killed.write_bytes(b"half")
    with Film(tmp_path / "x.mp4", 12.5) as film:
        for shade in (0, 100, 200):
            film.add(np.full((48, 64, 3), shade, np.uint8))
    with av.open(str(tmp_path / "x.mp4")) as container:
        assert container.streams.video[0].average_rate == 12.5
        shades = [frame.to_ndarray(format="rgb24").mean() for frame in container.decode(video=0)]
    assert shades == pytest.approx([0, 100, 200], abs=4)
    assert [file.name for file in tmp_path.iterdir()] == ["x.mp4"]


def test_a_film_without_pictures_is_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"x\.mp4: a film needs at least one picture"), Film(tmp_path / "x.mp4", 10.0):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_film_that_broke_is_none(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="broke"), Film(tmp_path / "x.mp4", 1000.0) as film:
        film.add(np.zeros((48, 64, 3), np.uint8))
        assert film.rate == 30
        raise RuntimeError("broke")
    assert list(tmp_path.iterdir()) == []
