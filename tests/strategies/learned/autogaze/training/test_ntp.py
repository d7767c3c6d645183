"""Batches follow their labels through every symmetry, and the loss is that of the labels."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from framework.core.errors import UsageError
from framework.training.schedule import Schedule
from strategies.learned.autogaze.gaze.forcing import teacher_forced
from strategies.learned.autogaze.gaze.model import Gaze, GazeConfig
from strategies.learned.autogaze.gaze.picks import Picks
from strategies.learned.autogaze.gaze.pixels import prepare
from strategies.learned.autogaze.training.clips import MadeClips
from strategies.learned.autogaze.training.label_files import Label
from strategies.learned.autogaze.training.ntp import LabelledClips, NtpModule, NtpSettings, pair

GAZE = GazeConfig((32, 48), 16, 16, 1, 2, 16, 3, 1, 3, 1e4, None, 512)  # 13 ids, three heads
SETTINGS = NtpSettings(2, "square", "log", 0.5, 0.25)
LABELS = [
    Label(((4, 0), (12,)), ((0.9, 0.5), (0.25,)), (1.0, 0.5)),
    Label(((3,), (1, 2)), ((0.6,), (0.5, 0.4)), None),
    Label(((7, 8), ()), ((0.6, 0.3), ()), None),
]


def painted(label: Label) -> torch.Tensor:
    """A clip in which exactly the picked patches are white, finest last."""
    covered = GAZE.vocabulary.cover(48, 48).view(-1, 48, 48)
    frames = [covered[list(ids)].amax(0) if ids else torch.zeros(48, 48) for ids in label.ids]
    return (255 * torch.stack(frames))[..., None].expand(-1, -1, -1, 3).to(torch.uint8)


def feed(settings: NtpSettings = SETTINGS) -> LabelledClips:
    return LabelledClips([(painted(label), label) for label in LABELS], GAZE.vocabulary, settings, 0)


def test_picks_follow_their_clip() -> None:
    made, seen = feed(), set()
    for step in range(24):
        batch = made(np.random.default_rng(step), step)
        assert batch.pixels.shape == (2, 2, 48, 48, 3) and batch.pixels.dtype == torch.uint8
        for pixels, ids, valid in zip(batch.pixels, batch.ids, batch.valid, strict=True):
            lists = tuple(tuple(row[keep].tolist()) for row, keep in zip(ids, valid, strict=True))
            assert torch.equal(pixels, painted(Label(lists, lists, None)))  # type: ignore[arg-type]
            seen.add(lists)
    assert len(seen) > 12  # of at most 24
    still = feed(NtpSettings(2, "none", "log", 0.5, 0.25))(np.random.default_rng(0), 0)
    assert {tuple(map(tuple, label.ids)) for label in LABELS} > {
        tuple(tuple(r[k].tolist()) for r, k in zip(i, v, strict=True))
        for i, v in zip(still.ids, still.valid, strict=True)
    }


def test_every_clip_once_an_epoch() -> None:
    made = feed(NtpSettings(3, "none", "log", 0.5, 0.25))
    for step in range(4):
        firsts = made(np.random.default_rng(0), step).ids[:, 0, 0]
        assert sorted(firsts.tolist()) == [3, 4, 7]


def test_the_loss_by_hand() -> None:
    torch.manual_seed(0)
    module = NtpModule(Gaze(GAZE), NtpSettings(3, "none", "log", 0.5, 0.25), Schedule(10, 1e-2, 1, 0.0, 0.0, 1.0))
    logged: dict[str, float] = {}
    module.log_dict = lambda values, **_: logged.update(values)  # type: ignore[method-assign]
    made = LabelledClips([(painted(l), l) for l in LABELS], GAZE.vocabulary, module.settings, 0)  # noqa: E741
    batch = made(np.random.default_rng(0), 0)
    loss = module.training_step(batch, 0)
    forced = teacher_forced(module.gaze, prepare(batch.pixels, 48), Picks(batch.ids, batch.valid))
    picks, errors = [], []
    for row, ids in enumerate(batch.ids.tolist()):
        label = next(one for one in LABELS if one.ids[0][0] == ids[0][0])
        for frame, losses in enumerate(label.losses):
            for slot, value in enumerate(losses):
                picks.append(-forced.log_probabilities[row, frame, slot].item())
                errors.append((forced.loss_predictions[row, frame, slot].item() - math.log(value)) ** 2)
            if label.before is not None:
                errors.append((forced.loss_before[row, frame].item() - math.log(label.before[frame])) ** 2)
    assert len(picks) == 8 and len(errors) == 10
    pixels = prepare(batch.pixels, 48)
    detail = module.detail.wanted(pixels).square().mean().item()  # a new head says 0
    assert loss.item() == pytest.approx(np.mean(picks) + 0.5 * np.mean(errors) + 0.25 * detail, rel=1e-5)
    assert logged["train/picks"].item() == pytest.approx(np.mean(picks), rel=1e-5)  # type: ignore[attr-defined]


def test_clips_without_a_label_are_left_out() -> None:
    clips = MadeClips(7, 4, 48, 2, (4.0, 4.0))
    pairs = pair(clips, {"procedural/7/2.mp4": LABELS[0], "procedural/8/0.mp4": LABELS[1]})
    assert len(pairs) == 1 and pairs[0][1] == LABELS[0] and torch.equal(pairs[0][0], clips.clip(2))
    with pytest.raises(
        UsageError, match=r"none of the 1 labelled videos \(such as procedural/8/0.mp4\) is among the 4"
    ):
        pair(clips, {"procedural/8/0.mp4": LABELS[1]})


def test_mistakes() -> None:
    with pytest.raises(ValueError, match=r"recipe.training.batch must be at least 1, got 0"):
        NtpSettings(0, "none", "log", 1.0, 1.0)
    with pytest.raises(ValueError, match="none, mirror, square"):
        NtpSettings(1, "turned", "log", 1.0, 1.0)  # type: ignore[arg-type]
