"""Picks become scores of tokens; a threshold refuses; the pipeline drops before the tower; what is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import DictConfig
from torch import Tensor

from framework.benchmarks.base import VideoItem
from framework.config.parts import build_pipeline
from framework.core.types import Frames, Group, Layout
from framework.core.view import GroupView
from framework.testing import contracts
from framework.testing.toys import QUESTION
from strategies.learned.autogaze.gaze import checkpoint
from strategies.learned.autogaze.gaze.calibration import Calibration
from strategies.learned.autogaze.gaze.decoding import Control, gaze_clip
from strategies.learned.autogaze.gaze.model import Gaze, GazeConfig
from strategies.learned.autogaze.gaze.pixels import prepare
from strategies.scorers.autogaze import AutoGaze

CELL = 28


def scorer(**changed: Any) -> AutoGaze:
    given = {"checkpoint": "random:0", "picks": 0.3, "loss_threshold": None, "epsilon": None, "eta": 0.5, "frames": 8}
    return AutoGaze(**{**given, "tiles": 16, **changed})  # type: ignore[arg-type]


def view(pixels: Tensor, first: int = 0) -> GroupView:
    """A group of u8 [Tg, F, 3, H, W] with cells of 28 pixels."""
    ticks, rows, columns = len(pixels), pixels.shape[-2] // CELL, pixels.shape[-1] // CELL
    tick = first + torch.arange(ticks)
    row, column = (
        part.flatten().repeat(ticks)
        for part in torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    )
    layout = Layout(tick.repeat_interleave(rows * columns), row, column, (CELL, CELL))
    return GroupView(Group(0, tick), QUESTION, layout, tick.double(), shown_frames=Frames(pixels, tick.double()))


def noise(*shape: int) -> Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Gaze]:
    """A gaze of the lab's size whose picks depend on what it sees, with a calibration."""
    gaze = Gaze.random(GazeConfig.lab(), 1)
    draws = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in (gaze.token_head.weight, gaze.loss_head.weight, gaze.decoder.embed_tokens.weight):
            parameter.copy_(torch.randn(parameter.shape, generator=draws))
    place = tmp_path_factory.mktemp("gaze")
    checkpoint.save(gaze, place, {}, Calibration("plain", (-8.0, 0.0), (0.2, 0.6), (9.0, 2.0), 20).stored())
    return str(place), gaze


def by_loops(gaze: Gaze, frames: Tensor, control: Control, most: int) -> tuple[Tensor, Tensor]:
    """Scores and coverage [T, 7, 7] of one tile of 7 x 7 tokens, pick by pick, painted on 28 x 28 pieces of it."""
    (picked,) = gaze_clip(gaze, prepare(frames, 112)[None], control).lists()
    best, covered = torch.zeros(len(picked), 7, 7), torch.zeros(len(picked), 28, 28)
    for t, ids in enumerate(picked):
        for k, one in enumerate(ids):
            grid, place = next((g, one - s) for g, s in ((7, 20), (4, 4), (2, 0)) if one >= s)
            row, column, side = place // grid, place % grid, 28 // grid
            patch = torch.zeros(28, 28)
            patch[row * side : (row + 1) * side, column * side : (column + 1) * side] = 1
            covered[t] = covered[t].maximum(patch)
            share = patch.view(7, 4, 7, 4).mean((1, 3))
            best[t] = best[t].maximum((1 - k / most) * share / (49 / grid**2) ** 0.5)
    return best, covered.view(-1, 7, 4, 7, 4).mean((2, 4))


def test_budget_mode_by_loops(lab: tuple[str, Gaze]) -> None:
    pixels = noise(3, 2, 3, 196, 196)
    found = scorer(checkpoint=lab[0], frames=4).score(view(pixels, first=5))
    parts = [by_loops(lab[1], clip, Control(20), 20)[0] for clip in pixels.flatten(0, 1).split(4)]
    expected = torch.cat(parts).unflatten(0, (3, 2)).amax(1)
    assert torch.allclose(found.values.view(3, 7, 7), expected, atol=1e-6)
    assert found.signals == {"gazed_ids": 6 * 20.0, "merged_tokens": float((expected > 0).sum())}


def test_a_shorter_last_clip(lab: tuple[str, Gaze]) -> None:
    """Five frames in clips of two, and fewer frames than a clip."""
    pixels = noise(5, 1, 3, 196, 196)
    for frames in (2, 8):
        found = scorer(checkpoint=lab[0], frames=frames, tiles=2).score(view(pixels))
        expected = torch.cat([by_loops(lab[1], c, Control(20), 20)[0] for c in pixels.flatten(0, 1).split(frames)])
        assert torch.allclose(found.values.view(5, 7, 7), expected, atol=1e-6)


def test_a_threshold_keeps_what_is_half_covered_in_either_frame(lab: tuple[str, Gaze]) -> None:
    pixels = noise(4, 2, 3, 196, 196)
    found = scorer(checkpoint=lab[0], loss_threshold=-4.0).score(view(pixels))
    best, covered = by_loops(lab[1], pixels.flatten(0, 1), Control(20, -4.0), 20)
    kept = (covered.unflatten(0, (4, 2)).amax(1) >= 0.5).flatten()
    assert 0 < int(kept.sum()) < len(kept)
    assert torch.equal(found.values > -math.inf, kept)
    expected = best.unflatten(0, (4, 2)).amax(1).flatten()
    assert torch.allclose(found.values[kept], expected[kept], atol=1e-6)
    assert found.signals["merged_tokens"] == float(kept.sum())
    same = scorer(checkpoint=lab[0], epsilon=0.4).score(view(pixels))  # half way through the table
    assert torch.equal(same.values, found.values)


def test_a_finest_pick_is_one_token_of_any_tile(lab: tuple[str, Gaze]) -> None:
    """Two by three tiles of the same picture: the same scores in each."""
    tile = noise(2, 2, 3, 196, 196)
    one = scorer(checkpoint=lab[0]).score(view(tile)).values.view(2, 7, 7)
    many = scorer(checkpoint=lab[0], tiles=4).score(view(tile.repeat(1, 1, 1, 2, 3))).values.view(2, 14, 21)
    assert torch.allclose(many, one.repeat(1, 2, 3), atol=1e-6)


def test_the_published_size_has_tiles_of_392_pixels() -> None:
    found = scorer(checkpoint="random:0:official", picks=3, loss_threshold=1e9).score(view(noise(1, 2, 3, 392, 784)))
    assert found.values.shape == (14 * 28,)
    assert found.signals["gazed_ids"] == 4  # a first pick of both tiles in both frames


@pytest.mark.parametrize("size", [(28, 28), (56, 392), (448, 448), (224, 84)])
@pytest.mark.parametrize("threshold", [None, 1e9])
def test_frames_that_are_no_tiles_are_resized(size: tuple[int, int], threshold: float | None) -> None:
    found = scorer(loss_threshold=threshold).score(view(noise(1, 1, 3, *size))).values
    assert len(found) == size[0] * size[1] // CELL**2
    assert bool((found > -math.inf).any())


@pytest.mark.parametrize("threshold", [None, -3.0, 1e9])
def test_the_contract(lab: tuple[str, Gaze], threshold: float | None) -> None:
    contracts.check_scorer(scorer(checkpoint=lab[0], picks=5, loss_threshold=threshold))


def test_costs_grow_with_tiles_and_picks() -> None:
    small, large = view(noise(2, 2, 3, 196, 196)), view(noise(2, 2, 3, 392, 196))
    assert scorer().flops(large) == 2 * scorer().flops(small) > 0
    assert scorer(picks=1).flops(small) < scorer(picks=69).flops(small)


def test_the_preset_answers_and_what_is_refused_never_reaches_the_tower(
    composed: Callable[..., DictConfig], needle_video: VideoItem
) -> None:
    given = ("preset=autogaze", "scorer=autogaze", "autogaze.checkpoint=random:0", "budget=8", "frames=32")
    encoded = {}
    for name, more in (("all", []), ("few", ["scorer.loss_threshold=1e9"])):
        pipeline = build_pipeline(composed(*given, "scorer.picks=2", *more))
        (outcome,) = pipeline.answer(needle_video.path, [needle_video.items[0].question])
        assert outcome.trace.frames_decoded == 32
        assert all(group.signals["gazed_ids"] >= 16 for group in outcome.trace.groups)  # one a frame
        kept = sum(group.signals["merged_tokens"] for group in outcome.trace.groups)
        assert outcome.trace.tokens_kept == min(8, kept)
        encoded[name] = (outcome.trace.stages["encode"].tokens, kept)
    assert encoded["all"][0] == 64
    assert encoded["few"][0] == encoded["few"][1] < 64


def test_the_preset_alone_encodes_only_what_was_looked_at(
    composed: Callable[..., DictConfig], needle_video: VideoItem
) -> None:
    encoded = {}
    for epsilon in (0.1, 0.28):  # a frame of noise takes all its tokens for the first
        given = ("preset=autogaze", "budget=8", "frames=32", *([] if epsilon == 0.1 else [f"scorer.epsilon={epsilon}"]))
        (outcome,) = build_pipeline(composed(*given)).answer(needle_video.path, [needle_video.items[0].question])
        kept = sum(group.signals["merged_tokens"] for group in outcome.trace.groups)
        encoded[epsilon] = outcome.trace.stages["encode"].tokens
        assert encoded[epsilon] == kept >= outcome.trace.tokens_kept == 8
    assert encoded[0.28] < encoded[0.1] <= 64


def test_an_epsilon_that_was_never_reached_is_told(caplog: pytest.LogCaptureFixture) -> None:
    assert scorer(checkpoint="asset:autogaze_lab", epsilon=0.01).most > 0
    assert "scorer.epsilon=0.01: the weights reached 0.081 at best" in caplog.text
    caplog.clear()
    assert scorer(checkpoint="asset:autogaze_lab", epsilon=0.2).most > 0 and not caplog.text


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"checkpoint": None}, r"autogaze\.checkpoint is not set"),
        ({"picks": 70}, r"^picks of a frame must be 1 \.\. 69"),
        ({"picks": 0.0}, r"\(0, 1\]"),
        ({"epsilon": 0.0}, r"epsilon must lie within \(0, 1\]"),
        ({"epsilon": float("nan")}, r"epsilon must lie within \(0, 1\]"),
        ({"epsilon": 0.5}, "needs a calibration"),
        ({"epsilon": 0.5, "loss_threshold": 0.1}, "two ways"),
        ({"loss_threshold": float("inf")}, "finite"),
        ({"frames": 0}, r"scorer\.frames"),
        ({"tiles": 0}, r"scorer\.tiles"),
        ({"eta": -0.1}, r"scorer\.eta"),
    ],
)
def test_what_cannot_be_is_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        scorer(**changed)


def test_weights_of_nowhere_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"autogaze\.checkpoint: there is no"):
        scorer(checkpoint=str(tmp_path / "nothing"))
