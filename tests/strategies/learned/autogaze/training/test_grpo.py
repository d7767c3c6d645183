"""Rollouts that are paid: which clips get which counts, what the heads learn from, and that rewards are learned."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from framework.training.schedule import Schedule
from strategies.learned.autogaze.gaze.decoding import Control, Picks, gaze_clip
from strategies.learned.autogaze.gaze.forcing import teacher_forced
from strategies.learned.autogaze.gaze.model import Gaze, GazeConfig
from strategies.learned.autogaze.gaze.pixels import prepare
from strategies.learned.autogaze.gaze.policy import Sampling
from strategies.learned.autogaze.reconstructor.config import ReconstructorConfig
from strategies.learned.autogaze.reconstructor.model import Reconstructor
from strategies.learned.autogaze.training.grpo import PARTLY, GrpoModule, GrpoSettings
from strategies.learned.autogaze.training.metrics import before, nothing, true_loss
from strategies.learned.autogaze.training.pick_counts import drawn_counts, usual_losses

GAZE = GazeConfig((32, 48), 16, 16, 1, 2, 16, 3, 1, 3, 1e4, None, 512)  # 13 ids, three heads
RECONSTRUCTOR = ReconstructorConfig((32, 48), 16, 4, 16, 1, 2, 16, 16, 1, 2, 16, True, True, False)
SETTINGS = GrpoSettings(2, 3, 2, 4, 0.5, (2.0, 0.5), 10, 0.9, (0.1, 0.9), "log", 1.0, 1.0, "adamw")
SCHEDULE = Schedule(10, 1e-2, 1, 0.0, 0.0, 1.0)


def module(settings: GrpoSettings = SETTINGS, between: tuple[float, float] = (0.5, 2.0)) -> GrpoModule:
    torch.manual_seed(0)
    made = GrpoModule(Gaze(GAZE), Reconstructor(RECONSTRUCTOR), settings, SCHEDULE, between, 0)
    made.log_dict = lambda *_, **__: None  # type: ignore[method-assign]
    return made


def clips(count: int = 2) -> torch.Tensor:
    return torch.randint(0, 256, (count, 4, 48, 48, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def test_counts_are_where_a_rollout_stops_or_drawn() -> None:
    pixels, sampling = prepare(clips(4), 48), Sampling(1.0, None)
    never = module(replace(SETTINGS, drawn=0.0), (1e-9, 1e-9)).counts(pixels, sampling)
    assert never.tolist() == [[4] * 4] * 4  # ln 1e-4 is below all that new heads say
    at_once = module(replace(SETTINGS, drawn=0.0), (1e9, 1e9)).counts(pixels, sampling)
    assert at_once.tolist() == [[1] * 4] * 4
    torch.manual_seed(3)
    mixed = module(replace(SETTINGS, drawn=0.5), (1e9, 1e9))
    seen = torch.cat([mixed.counts(pixels, sampling) for _ in range(8)])
    assert int(seen.min()) >= 1 and int(seen.max()) <= 4
    stopped = (seen == 1).all(1)
    assert bool(stopped.any()) and not bool(stopped.all())


def test_drawn_counts_are_few_or_many() -> None:
    torch.manual_seed(0)
    drawn = drawn_counts(400, 8, 10)
    assert drawn.shape == (400, 8) and int(drawn.min()) == 1 and int(drawn.max()) == 10
    means = drawn.float().mean(1)
    assert means.min() < 2 and means.max() > 8


def test_heads_are_told_the_loss_after_as_many_picks_as_they_speak_of() -> None:
    made, pixels = module(), prepare(clips(), 48).repeat_interleave(3, 0)
    counts = torch.tensor([[1, 2, 3, 4], [4, 4, 4, 4]]).repeat_interleave(3, 0)
    picks = gaze_clip(made.gaze, pixels, Control(counts, sampling=Sampling(1.0, None)))
    forced = teacher_forced(made.gaze, pixels, picks)
    asked = torch.tensor([[0, 2], [3, 1]]).repeat_interleave(3, 0)
    true = true_loss(made.frozen[0], pixels, picks, asked)
    predicted, targets = made._predictions(pixels, picks, forced, asked, true)
    along = torch.cat([forced.loss_before[..., None], forced.loss_predictions], 2)
    for row in range(6):
        for place, frame in enumerate(asked[row].tolist()):
            assert predicted[2 * row + place] == along[row, frame, counts[row, frame]]
            assert targets[2 * row + place] == true[row, place]
    for extra, row in enumerate(range(0, 6, PARTLY), start=12):
        frame = int(asked[row, 0])
        (few,) = (along[row, frame] == predicted[extra]).nonzero()[0].tolist()
        assert few < counts[row, frame]
        # by hand: the clip with the rest of that frame's picks taken away
        lists = picks.lists()[row]
        lists[frame] = lists[frame][:few]
        again = true_loss(made.frozen[0], pixels[row : row + 1], Picks.of([lists], GAZE.vocabulary))
        assert torch.allclose(targets[extra], again[0, frame], atol=1e-5)
    assert len(predicted) == len(targets) == 12 + 6 // PARTLY


def test_a_step_moves_every_parameter_of_the_gaze_and_none_of_the_reconstructor() -> None:
    made = module()
    descent = made.configure_optimizers()["optimizer"]
    ours = {name: value.clone() for name, value in made.gaze.named_parameters()}
    theirs = {name: value.clone() for name, value in made.frozen[0].named_parameters()}
    for _ in range(2):
        made.on_train_batch_start(clips(), 0)
        loss = made.training_step(clips(), 0)
        assert bool(loss.isfinite())
        descent.zero_grad()
        loss.backward()
        descent.step()
    assert {n for n, value in made.gaze.named_parameters() if torch.equal(value, ours[n])} == set()
    assert all(torch.equal(value, theirs[n]) for n, value in made.frozen[0].named_parameters())
    assert not any(name.startswith("frozen") for name in made.state_dict())


def test_the_rewarded_pick_becomes_likely(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a judge that only cares whether id 5 is picked first, the policy comes to pick it."""

    def judge(reconstructor: Reconstructor, pixels: torch.Tensor, picks: Picks, frames: torch.Tensor) -> torch.Tensor:
        hit = (picks.ids[:, :, 0] == 5).float()
        return 1 - hit.gather(1, frames)

    monkeypatch.setattr("strategies.learned.autogaze.training.grpo.true_loss", judge)
    made = module(replace(SETTINGS, rollouts=8, drawn=1.0, temperature=(1.0, 1.0), top_k=None))
    descent = torch.optim.Adam(made.gaze.parameters(), 3e-3)
    for step in range(30):
        torch.manual_seed(step)
        descent.zero_grad()
        made.training_step(clips(), 0).backward()
        descent.step()
    assert bool((gaze_clip(made.gaze, prepare(clips(), 48), Control(1)).ids == 5).all())


def test_thresholds_come_from_losses_that_are_usual() -> None:
    made, pixels = module(), prepare(clips(), 48)
    low, high = usual_losses(made.frozen[0], [pixels], 4, (0.0, 1.0), 0)
    assert 0 < low < high
    assert usual_losses(made.frozen[0], [pixels], 4, (0.0, 1.0), 0) == (low, high)


def test_losses_of_nothing_and_of_earlier_picks() -> None:
    made, pixels = module(), prepare(clips(), 48)
    picks = Picks.of([[[1, 7], [3], [], [12, 0, 4]]] * 2, GAZE.vocabulary)
    none = true_loss(made.frozen[0], pixels, Picks.of([[[]] * 4] * 2, GAZE.vocabulary))
    assert torch.allclose(nothing(made.frozen[0], pixels), none)
    found = before(made.frozen[0], pixels, picks)
    assert torch.allclose(found[:, 0], none[:, 0], atol=1e-6)
    earlier = Picks.of([[[1, 7], [3], [], []]] * 2, GAZE.vocabulary)
    assert torch.allclose(found[:, 3], true_loss(made.frozen[0], pixels, earlier)[:, 3], atol=1e-6)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rollouts": 1}, "at least 2 to be compared, got 1"),
        ({"quantiles": (0.9, 0.1)}, "low <= high"),
        ({"temperature": (1.0, 0.0)}, "temperatures above 0"),
        ({"frames": 0}, "recipe.training.frames must be at least 1"),
        ({"loss_space": "exp"}, "plain, log"),
    ],
)
def test_mistakes(change: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        replace(SETTINGS, **change)  # type: ignore[arg-type]
