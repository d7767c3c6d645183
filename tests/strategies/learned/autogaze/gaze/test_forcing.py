"""Given picks: the published scores, an independent reading of the index map, and gradients."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from strategies.learned.autogaze.gaze.forcing import teacher_forced
from strategies.learned.autogaze.gaze.model import Gaze
from strategies.learned.autogaze.gaze.picks import Picks
from strategies.learned.autogaze.gaze.policy import Sampling

IDS = [[[3, 1, 9, 0, 5, 2, 7, 8, 4], [6], [2, 0, 1, 3]], [[1], [9, 8, 7, 6, 5], [4, 3, 2, 1, 0, 9, 8, 7]]]


def test_the_published_scores(golden) -> None:  # type: ignore[no-untyped-def]
    given, gaze = golden.tensors, golden.gaze
    valid = ~given["threshold.if_padded_gazing"].view(2, 5, 10)
    ids = given["threshold.gazing_pos"].view(2, 5, 10) - 265 * torch.arange(5)[:, None]
    with torch.no_grad():
        forced = teacher_forced(gaze, golden.video, Picks(ids.where(valid, 265), valid))
    probabilities = (forced.log_probabilities.exp().flatten(1) - given["teacher_forced.gaze_probs"])[valid.flatten(1)]
    losses = (forced.loss_predictions.flatten(1) - given["teacher_forced.task"])[valid.flatten(1)]
    assert float(probabilities.abs().max()) < 1e-5
    assert float(losses.abs().max()) < 5e-5


@torch.no_grad()
def test_each_score_is_read_where_the_map_says(small: Callable[..., Gaze], clips: Callable[..., Tensor]) -> None:
    gaze, pixels, ahead = small(ahead=4), clips(2, 3), 4
    picks = Picks.of(IDS, gaze.vocabulary)
    forced = teacher_forced(gaze, pixels, picks)
    vision, _ = gaze.vision(pixels)
    for row, video in enumerate(IDS):  # one video at a time, nothing padded
        sequence = torch.cat(
            [torch.cat([vision[row, t], gaze.embed(torch.tensor(ids))]) for t, ids in enumerate(video)]
        )
        states = gaze.decoder(inputs_embeds=sequence[None], use_cache=False).last_hidden_state[0]
        begin = 0
        for frame, ids in enumerate(video):
            last = begin + 8  # of nine vision tokens
            assert float(forced.loss_before[row, frame]) == pytest.approx(
                float(gaze.loss_predictions(states[last])[0]), abs=1e-5
            )
            for j, picked in enumerate(ids):
                source = states[last + j // ahead * ahead]
                expected = gaze.token_logits(source)[j % ahead].softmax(-1)[picked].log()
                assert float(forced.log_probabilities[row, frame, j]) == pytest.approx(float(expected), abs=1e-4)
                full = j % ahead == ahead - 1
                loss = (
                    gaze.loss_predictions(states[last + 1 + j])[0]
                    if full
                    else gaze.loss_predictions(source)[j % ahead + 1]
                )
                assert float(forced.loss_predictions[row, frame, j]) == pytest.approx(float(loss), abs=1e-5)
            begin += 9 + len(ids)


def test_one_head_ahead(small: Callable[..., Gaze], clips: Callable[..., Tensor]) -> None:
    gaze = small(ahead=1)
    forced = teacher_forced(gaze, clips(2, 3), Picks.of(IDS, gaze.vocabulary))
    assert forced.loss_predictions.shape == (2, 3, 9)
    assert bool((forced.log_probabilities[0, 1, 1:] == 0).all()) and bool(forced.log_probabilities[0, 1, 0] < 0)


@pytest.mark.parametrize("sampling", [None, Sampling(0.7, None), Sampling(2.0, 3)])
def test_gradients_reach_everything_and_padding_gives_none(
    small: Callable[..., Gaze], clips: Callable[..., Tensor], sampling: Sampling | None
) -> None:
    gaze = small(seed=1)
    forced = teacher_forced(gaze, clips(2, 3), Picks.of(IDS, gaze.vocabulary), sampling)
    (forced.log_probabilities.sum() + forced.loss_predictions.square().sum() + forced.loss_before.sum()).backward()
    for name, parameter in gaze.named_parameters():
        assert bool(parameter.grad.isfinite().all()), name
        assert bool((parameter.grad != 0).any()), name


def test_picks_of_other_clips_are_refused(small: Callable[..., Gaze], clips: Callable[..., Tensor]) -> None:
    gaze = small()
    with pytest.raises(ValueError, match="videos and frames"):
        teacher_forced(gaze, clips(2, 2), Picks.of(IDS, gaze.vocabulary))
