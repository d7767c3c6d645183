"""Decoding: the published picks, streams, batches, budgets, thresholds, sampling, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from strategies.learned.autogaze.gaze.decoding import Control, Picks, Sampling, Stream, gaze_clip, score_picks
from strategies.learned.autogaze.gaze.forcing import teacher_forced
from strategies.learned.autogaze.gaze.model import Gaze, GazeConfig
from strategies.learned.autogaze.gaze.naive import naive_clip


@pytest.mark.parametrize(("kind", "control"), [("fixed", {"budget": 33}), ("threshold", {"loss_threshold": -1.0})])
def test_the_published_picks(golden: Any, kind: str, control: dict[str, Any]) -> None:
    found = gaze_clip(golden.gaze, golden.video, Control(**control, rope_mode="official")).absolute(
        golden.gaze.vocabulary
    )
    assert torch.equal(found.ids, golden.tensors[f"{kind}.gazing_pos"])
    assert torch.equal(found.padded, golden.tensors[f"{kind}.if_padded_gazing"])
    assert torch.equal(found.counts, golden.tensors[f"{kind}.num_gazing_each_frame"])


@pytest.mark.parametrize("mode", ["official", "contiguous"])
def test_the_published_model_frame_by_frame_is_the_clip_at_once(golden: Any, mode: Any) -> None:
    control = Control(budget=12, rope_mode=mode)
    whole = gaze_clip(golden.gaze, golden.video, control)
    stream = Stream(golden.gaze, control)
    parts = [stream.look(golden.video[:, t : t + 1]) for t in range(5)]
    assert torch.equal(torch.cat([part.ids for part in parts], 1), whole.ids)
    scores = torch.cat([part.log_probabilities for part in parts], 1)
    assert torch.allclose(scores, whole.log_probabilities, atol=1e-4)


def test_official_picks_depend_on_neighbours_and_contiguous_picks_do_not(golden: Any) -> None:
    pixels = golden.video[:, :3]
    thresholds = torch.tensor([3.0, -1e3])  # the first video stops in its first chunk, the second never
    same = {}
    for mode in ("official", "contiguous"):
        both = gaze_clip(golden.gaze, pixels, Control(budget=20, loss_threshold=thresholds, rope_mode=mode))
        alone = gaze_clip(golden.gaze, pixels[:1], Control(budget=20, loss_threshold=3.0, rope_mode=mode))
        assert int(alone.counts.max()) <= 10 < int(both.counts.max())
        same[mode] = alone.lists()[0] == both.lists()[0]
    assert same == {"official": False, "contiguous": True}


@settings(deadline=None, max_examples=12)
@given(st.integers(0, 10**6), st.integers(1, 6), st.data())
def test_contiguous_videos_do_not_depend_on_their_batch_nor_on_pieces(
    small: Callable[..., Gaze], clips: Callable[..., Tensor], seed: int, ahead: int, data: st.DataObject
) -> None:
    gaze, pixels = small(seed % 5, ahead), clips(3, 4, seed)
    budget = torch.tensor(
        data.draw(st.lists(st.lists(st.integers(1, 10), min_size=4, max_size=4), min_size=3, max_size=3))
    )
    threshold = torch.tensor(data.draw(st.lists(st.sampled_from([-9.0, -3.0, -1.0, 1.0]), min_size=3, max_size=3)))
    control = Control(budget, threshold)
    whole = gaze_clip(gaze, pixels, control)
    alone = [gaze_clip(gaze, pixels[row : row + 1], control.of(slice(row, row + 1))).lists()[0] for row in range(3)]
    assert whole.lists() == alone
    assert naive_clip(gaze, pixels, control).lists() == alone
    cut = data.draw(st.integers(1, 3))
    stream = Stream(gaze, control)
    first, second = stream.look(pixels[:, :cut]), stream.look(pixels[:, cut:])
    assert [a + b for a, b in zip(first.lists(), second.lists(), strict=True)] == alone
    assert bool((whole.counts >= 1).all()) and bool((whole.counts <= budget).all())
    assert all(len(set(ids)) == len(ids) for frames in alone for ids in frames)  # no patch twice
    assert bool((whole.valid.long().diff(dim=2) <= 0).all())  # a prefix


def test_stopping_is_where_the_predicted_loss_first_falls_to_the_threshold(
    small: Callable[..., Gaze], clips: Callable[..., Tensor]
) -> None:
    gaze, pixels = small(2, 4), clips(4, 3, 5)
    threshold = -1.0
    stopped = score_picks(gaze, pixels, gaze_clip(gaze, pixels, Control(1.0, threshold)))
    assert 1 < float(stopped.counts.double().mean()) < 10
    for row, frames in enumerate(stopped.lists()):
        for frame, ids in enumerate(frames):
            after = stopped.predicted[row, frame]
            assert bool((after[: len(ids) - 1] > threshold).all())
            assert len(ids) == 10 or float(after[len(ids) - 1]) <= threshold


def test_official_stopping_can_leave_gaps(golden: Any) -> None:
    valid = gaze_clip(golden.gaze, golden.video, Control(loss_threshold=-1.0, rope_mode="official")).valid
    assert bool((valid.long().diff(dim=2) > 0).any())
    assert bool(valid[:, :, 0].all())


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        (0.35, [3, 3, 3]),
        (0.01, [1, 1, 1]),
        (10, [10, 10, 10]),
        ([1, 9, 4], [1, 9, 4]),
        ((0.5, 0.2, 1.0), [5, 2, 10]),
        (torch.tensor([2, 3, 1]), [2, 3, 1]),
    ],
)
def test_budgets(small: Callable[..., Gaze], clips: Callable[..., Tensor], budget: Any, expected: list[int]) -> None:
    for mode in ("contiguous", "official"):
        picks = gaze_clip(small(), clips(2, 3), Control(budget, rope_mode=mode))  # type: ignore[arg-type]
        assert picks.counts.tolist() == [expected] * 2
        assert picks.slots == tuple(expected)


@pytest.mark.parametrize("sampling", [None, Sampling(1.7, None), Sampling(0.8, 3)])
def test_log_probabilities_are_those_of_the_policy_that_picked(
    small: Callable[..., Gaze], clips: Callable[..., Tensor], sampling: Sampling | None
) -> None:
    gaze, pixels = small(3), clips(3, 3, 2)
    counts = torch.tensor([[3, 10, 1], [9, 2, 5], [4, 4, 8]])
    picks = gaze_clip(gaze, pixels, Control(counts, sampling=sampling), torch.Generator().manual_seed(4))
    assert torch.equal(picks.counts, counts)
    forced = teacher_forced(gaze, pixels, picks, sampling).log_probabilities
    assert torch.allclose(forced, picks.log_probabilities, atol=1e-4)
    assert bool((forced[picks.valid] > -100).all())


def test_sampling_follows_its_seed_and_its_probabilities(
    small: Callable[..., Gaze], clips: Callable[..., Tensor]
) -> None:
    gaze, pixels = small(4), clips(1, 1, 3).expand(4000, -1, -1, -1, -1)
    control = Control(1, sampling=Sampling(20.0, 4))
    drawn = gaze_clip(gaze, pixels, control, torch.Generator().manual_seed(0))
    assert torch.equal(drawn.ids, gaze_clip(gaze, pixels, control, torch.Generator().manual_seed(0)).ids)
    share = torch.bincount(drawn.ids.flatten(), minlength=10) / 4000
    assert int((share > 0).sum()) == 4
    for picked in share.nonzero().flatten().tolist():
        expected = drawn.log_probabilities[drawn.ids == picked][0].exp()
        assert abs(float(share[picked] - expected)) < 0.03  # 4 standard errors of at most 0.008


def test_a_stream_on_a_single_frame_and_one_vision_token(clips: Callable[..., Tensor]) -> None:
    gaze = Gaze.random(GazeConfig((16,), 16, 16, 1, 1, 16, 10, 1, 3, 1e4, None, 64), 0)
    assert gaze_clip(gaze, clips(1, 1, side=16), Control()).lists() == [[[0]]]
    with pytest.raises(ValueError, match="needs 10 vision tokens"):
        Stream(gaze, Control(rope_mode="official"))


@pytest.mark.parametrize(
    ("control", "message"),
    [
        ({"budget": 11}, "picks of a frame must be 1 .. 10, .* got 11"),
        ({"budget": 0}, "picks of a frame must be 1"),
        ({"budget": 1.5}, r"\(0, 1\]"),
        ({"budget": float("nan")}, r"\(0, 1\]"),
        ({"budget": [1, 2]}, "need one number"),
        ({"budget": torch.ones(5, 3)}, "need one number"),
        ({"loss_threshold": torch.zeros(5)}, "need one number"),
        ({"loss_threshold": float("nan")}, "^loss_threshold must be a finite number, got nan"),
        ({"loss_threshold": float("inf")}, "finite"),
        ({"rope_mode": "other"}, "^rope_mode"),
    ],
)
def test_what_cannot_be_is_refused(
    small: Callable[..., Gaze], clips: Callable[..., Tensor], control: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        gaze_clip(small(), clips(2, 3), Control(**control))


@pytest.mark.parametrize(("temperature", "top_k"), [(0.0, None), (-1.0, 3), (float("nan"), 3), (1.0, 0)])
def test_sampling_that_cannot_be_is_refused(temperature: float, top_k: int | None) -> None:
    with pytest.raises(ValueError, match=r"temperature|top_k"):
        Sampling(temperature, top_k)


def test_a_stream_keeps_its_videos(small: Callable[..., Gaze], clips: Callable[..., Tensor]) -> None:
    stream = Stream(small(), Control(3))
    stream.look(clips(2, 1))
    with pytest.raises(ValueError, match="watches 2 videos"):
        stream.look(clips(3, 1))


def test_picks_to_lists_and_the_published_layout() -> None:
    vocabulary = GazeConfig.lab().vocabulary
    lists = [[[3, 68], [0]], [[5], [1]]]
    picks = Picks.of(lists, vocabulary)
    assert picks.lists() == lists
    assert picks.counts.tolist() == [[2, 1], [1, 1]]
    assert picks.absolute(vocabulary).ids.tolist() == [[3, 68, 69, 138], [5, 69, 70, 138]]
    assert picks.absolute(vocabulary).padded.tolist() == [[False, False, False, True], [False, True, False, True]]
    joined = Picks.joined([picks, Picks.of([[[1, 2, 3], [4]]], vocabulary)], vocabulary)
    assert joined.lists() == [*lists, [[1, 2, 3], [4]]]
    with pytest.raises(ValueError, match=r"0 \.\. 68"):
        Picks.of([[[70]]], vocabulary)
    with pytest.raises(ValueError, match="same number of frames"):
        Picks.of([[[1]], [[1], [2]]], vocabulary)
    with pytest.raises(ValueError, match=r"\[videos, frames, slots\]"):
        Picks(picks.ids, picks.valid[0])
