"""Patches needed for an error: curves and intervals by hand, losses against the network, and a small run of it all."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.autogaze import __main__ as autogaze
from experiments.autogaze import measure as autogaze_measure
from experiments.autogaze.judge import Judge
from experiments.autogaze.measure import FRAMES, Bench, Plan, made_clips, real_clips
from experiments.autogaze.needed import Points, crossing, needed, times
from experiments.autogaze.oracles import greedy, in_order, roll_out
from experiments.autogaze.policies import by_difference, checkpoint_of, orders, sizes, translation
from experiments.common import read
from strategies.learned.autogaze.gaze import checkpoint
from strategies.learned.autogaze.gaze.calibration import Calibration
from strategies.learned.autogaze.gaze.model import Gaze, GazeConfig
from strategies.learned.autogaze.gaze.picks import Picks
from strategies.learned.autogaze.gaze.vocabulary import Vocabulary
from strategies.learned.autogaze.reconstructor.config import ReconstructorConfig
from strategies.learned.autogaze.reconstructor.model import Reconstructor
from strategies.learned.autogaze.training.greedy_search import search
from strategies.learned.autogaze.training.metrics import true_loss

LAB = Vocabulary((32, 64, 112))
VIDEOS = Path(__file__).parents[2] / "data/video"


def small(scales: tuple[int, ...] = (16, 32), canvas: bool = True) -> Reconstructor:
    """Two frames of 2 x 2 cells and one coarse patch, with weights at random."""
    sizes = (16, 1, 2, 16, 16, 1, 2, 16)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Reconstructor(ReconstructorConfig(scales, 16, 8, *sizes, True, True, False, canvas)).eval()


def noise(clips: int, frames: int, side: int, seed: int = 0) -> torch.Tensor:
    """Frames, of which each shares half with the last."""
    drawn = torch.randn(clips, frames, 3, side, side, generator=torch.Generator().manual_seed(seed))
    drawn[:, 1:, :, : side // 2] = drawn[:, :1, :, : side // 2]
    return drawn


def test_where_a_curve_comes_down_to_an_error() -> None:
    picks, loss = np.array([[8.0, 16.0, 32.0]]), np.array([[0.9, 0.5, 0.1]])
    assert crossing(picks, loss, 0.5) == pytest.approx([16])
    assert crossing(picks, loss, 0.7) == pytest.approx([8 * math.sqrt(2)]), "half of the way in log picks"
    assert crossing(picks, loss, 0.95) == pytest.approx([8]), "the fewest picks that there are"
    assert np.isnan(crossing(picks, loss, 0.05)).all()
    assert crossing(picks[:, ::-1], loss[:, ::-1], 0.7) == pytest.approx([8 * math.sqrt(2)]), "any order of points"
    rises = np.array([[0.9, 0.3, 0.8]])
    assert crossing(picks, rises, 0.6) == pytest.approx([8 * math.sqrt(2)]), "the first crossing counts"


def test_intervals_over_clips() -> None:
    generator = np.random.default_rng(0)
    own = generator.normal(0, 0.05, 40)  # clips differ, by as much at every setting
    picks = np.repeat([[8.0], [16.0], [32.0]], 40, 1)
    curve = Points(picks, np.array([[0.9], [0.5], [0.1]]) + own)
    value, note = needed(curve, 0.5)
    assert note == "" and value.value == pytest.approx(16 * 2 ** (own.mean() / 0.4))
    error = own.std() / math.sqrt(40)  # of the mean loss; the curve falls by .4 per doubling
    assert (value.high - value.low) == pytest.approx(2 * 1.96 * error / 0.4 * 16 * math.log(2), rel=0.15)
    twice = times(Points(2 * picks, curve.loss), curve, 0.5)
    assert (twice.value, twice.low, twice.high) == pytest.approx((2, 2, 2)), "resampled together"
    assert needed(curve, 2.0)[1] == "at most" and needed(curve, 2.0)[0].value == pytest.approx(8)
    never, note = needed(curve, 0.01)
    assert math.isnan(never.value) and note == "not reached"
    with pytest.raises(ValueError, match="the same clips are needed, got 40 and 3"):
        times(curve, Points(picks[:, :3], curve.loss[:, :3]), 0.5)


def test_a_ratio_to_the_fewest_picks_is_a_bound() -> None:
    def of(*loss: float) -> dict[str, np.ndarray]:
        picks = np.array([1.0, 2.0, 4.0])[:, None, None] * np.ones((1, 4, 8))
        spread = np.array(loss)[:, None, None] + 0.01 * np.arange(4)[:, None] + np.zeros((1, 1, 8))
        return {"fixed_settings": np.array([1.0, 2.0, 4.0]), "fixed_picks": picks, "fixed_loss": spread}

    measured = {"grpo": of(0.4, 0.2, 0.1), "ntp": of(0.3, 0.2, 0.1), "random": of(0.9, 0.6, 0.2)}
    rows = {row["policy"]: row for row in autogaze.needed_rows(measured, {"e": 0.5}, "made")}
    assert (rows["grpo"]["note"], rows["ntp"]["times"]) == ("at most", None), "both with their fewest"
    assert rows["random"]["times_note"] == "at least" and rows["random"]["times"] == pytest.approx(
        rows["random"]["needed"] / 8
    )
    assert "≥ " in autogaze.needed_table(list(rows.values()), "fixed")
    rows = {row["policy"]: row for row in autogaze.needed_rows(measured, {"e": 0.35}, "made")}
    assert rows["ntp"]["times_note"] == "at most" and rows["random"]["times_note"] is None
    assert rows["ntp"]["times"] == pytest.approx(8 / rows["grpo"]["needed"])
    rows = {row["policy"]: row for row in autogaze.needed_rows(measured, {"e": 0.05}, "real")}
    assert {row["note"] for row in rows.values()} == {"not reached"} and rows["random"]["needed"] is None


def test_frame_difference() -> None:
    vocabulary = Vocabulary((16, 32))  # ids 0; 1 2 / 3 4
    clip = torch.full((1, 3, 3, 32, 32), -2.1)  # about grey
    clip[0, 1:, :, 16:, :16] = 3.0  # cell 3 changes, and stays
    clip[0, 2, :, :16, 16:] = 0.0  # then cell 2, and a little of cell 4
    clip[0, 2, :, 20:22, 20:22] = 0.0
    order = by_difference(clip, vocabulary)
    assert order.shape == (1, 3, 4)
    assert order[0, 1].tolist() == [3, 1, 2, 4], "what does not change stays in order"
    assert order[0, 2].tolist() == [2, 4, 1, 3]
    clip[0, 0, :, :16, 16:] = 1.0
    assert order[0, 0, 0] != 2 and by_difference(clip, vocabulary)[0, 0, 0] == 2, "the first frame against grey"


def test_random_orders_belong_to_the_clip() -> None:
    pixels = torch.zeros(3, 2, 3, 112, 112)
    every = orders("random", pixels, range(3), LAB, seed=1)
    assert every.sort(2).values.equal(torch.arange(69).expand(3, 2, 69))
    assert orders("random", pixels[2:], [2], LAB, seed=1).equal(every[2:])
    finest = orders("random_finest", pixels, range(3), LAB, seed=1)
    assert finest.sort(2).values.equal(torch.arange(20, 69).expand(3, 2, 49))


def test_coarse_first_is_one_order_for_all() -> None:
    order = orders("coarse_first", torch.zeros(2, 5, 3, 112, 112), range(2), LAB, seed=1)
    assert order[0].equal(order[1]) and order.sort(2).values.equal(torch.arange(69).expand(2, 5, 69))
    assert order[0, :, 0].tolist() == [0, 1, 2, 3, 0], "the quarters in turn"
    assert order[0, 0, 4:8].tolist() == [4, 5, 6, 7] and order[0, 3, 4:8].tolist() == [16, 17, 18, 19]
    assert sorted(order[0, :4, 4:8].flatten().tolist()) == list(range(4, 20)), "four frames see all of a scale"


def test_a_single_scale_speaks_of_the_finest() -> None:
    ids = translation(Vocabulary((112,)), LAB)
    assert ids.tolist() == [*range(20, 69), 69]
    assert translation(LAB, LAB).tolist() == list(range(70))
    assert translation(Vocabulary((32, 112)), LAB).tolist() == [0, 1, 2, 3, *range(20, 69), 69]
    with pytest.raises(ValueError, match=r"picks patches of 16 pixels at \[48\]"):
        translation(Vocabulary((48,)), LAB)
    assert sizes((1, 10, 56, 69), 49) == [1, 10, 49]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_judge_says_what_the_network_says(count: int) -> None:
    network, pixels = small(), noise(6, 4, 32)
    picks = torch.rand(6, 4, 5, generator=torch.Generator().manual_seed(1)).argsort(2)[:, :, :count]
    judge = Judge(network, pixels)
    expected = true_loss(network, pixels, Picks(picks, torch.ones_like(picks, dtype=torch.bool)))
    torch.testing.assert_close(judge.loss(judge.vocabulary.picked(picks)), expected)
    nothing = torch.zeros(6, 4, 5, dtype=torch.bool)
    expected = true_loss(network, pixels, Picks(torch.full((6, 4, 1), 5), torch.zeros(6, 4, 1, dtype=torch.bool)))
    torch.testing.assert_close(judge.loss(nothing), expected)


def test_a_judge_needs_a_canvas() -> None:
    with pytest.raises(ValueError, match="reconstructor: got one without `canvas`"):
        Judge(small(canvas=False), noise(1, 2, 32))


def test_orders_end_where_they_are_told() -> None:
    network, pixels = small(), noise(5, 3, 32)
    judge = Judge(network, pixels)
    order = torch.rand(5, 3, 5, generator=torch.Generator().manual_seed(2)).argsort(2)
    made = roll_out(judge, in_order(order), [2, 5, 5], [-1.0, -1.0, 0.6])
    for setting, count in ((0, 2), (1, 5)):
        assert made.counts[setting].unique().tolist() == [count]
        torch.testing.assert_close(made.loss[setting], judge.loss(judge.vocabulary.picked(order[:, :, :count])))
    counts, losses = made.counts[2], made.loss[2]
    taken = order.masked_fill(torch.arange(5) >= counts[..., None], 5)
    torch.testing.assert_close(judge.loss(judge.vocabulary.picked(taken)), losses)
    assert ((losses <= 0.6) | (counts == 5)).all() and counts.min() >= 1 and (counts < 5).any()
    less = taken.scatter(2, counts[..., None] - 1, 5)[:, 0]  # one pick less of the first frame was not enough
    before = judge.loss(judge.vocabulary.picked(less[:, None]).expand(-1, 3, -1))[:, 0]
    assert (before[counts[:, 0] > 1] > 0.6).all()


def test_greedy_is_the_search_that_labels_are_made_with() -> None:
    network, pixels = small((16, 32, 64)), noise(2, 2, 64)
    judge = Judge(network, pixels)
    made = roll_out(judge, greedy(21), [1, 3], [-1.0, -1.0])
    for setting, count in enumerate((1, 3)):
        expected = search(network, pixels, torch.full((2, 2), count), (1, 4, 16))
        losses = torch.tensor([[frame[-1] for frame in one.losses] for one in expected])
        torch.testing.assert_close(made.loss[setting], losses)
    few = roll_out(judge, greedy(1), [21], [-1.0])
    assert few.loss.abs().max() < 1e-5, "everything picked is everything shown"


def test_real_clips() -> None:
    clips = real_clips(VIDEOS, 32)
    assert clips.shape == (3 * 8, FRAMES, 3, 32, 32) and clips.isfinite().all()
    assert (clips[0, 0] - clips[0, 1]).abs().max() > 0, "frames one after the other"


def test_a_missing_arm_is_named_with_its_command(tmp_path: Path) -> None:
    with pytest.raises(
        SystemExit, match=rf"sieve train recipe=autogaze_ntp folder={tmp_path}/autogaze_ntp` makes it, or leave it out"
    ):
        checkpoint_of("ntp", tmp_path)
    with pytest.raises(SystemExit, match=r"recipe\.start=null recipe\.schedule\.steps=3000"):
        autogaze.main([f"folder={tmp_path}", "arms=random,grpo_only"])
    with pytest.raises(SystemExit, match="arms: there is no best; known: untrained, random"):
        autogaze.main(["arms=best"])
    with pytest.raises(SystemExit, match="errors: got 5%, the reconstructor's weights know of none"):
        autogaze.main(["arms=random", "reconstructor=random:0"])


def test_all_of_it(workplace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("VIDEOS", autogaze_measure.VIDEOS[:1]), ("PER_VIDEO", 1), ("STOPS", 3), ("SWEPT", 3)):
        monkeypatch.setattr(autogaze_measure, name, value)
    table = Calibration("log", (-9.0, 0.0, 9.0), (0.1, 0.5, 0.9), (10.0, 5.0, 1.0), 10)
    lab = GazeConfig.lab()
    for name, config in (("ntp", lab), ("grpo", lab), ("ntp_one_head", replace(lab, heads_ahead=1))):
        place = workplace / f"autogaze_{name}" / "checkpoint"
        checkpoint.save(Gaze.random(config, 1), place, {"loss_space": "log"}, table.stored())
    arms = "random,coarse_first,frame_difference,ntp,grpo,ntp_one_head,grpo_elsewhere,greedy"
    words = ["clips=2", "budgets=1,69", "most=2", "errors=0.4,1.2", "reconstructor=random:0", f"arms={arms}"]
    words += [f"folder={workplace}", f"results={workplace}", f"videos={VIDEOS}"]
    autogaze.main(words)
    said, rows = capsys.readouterr().out, read(workplace / "autogaze.csv")
    here = {(row["clips"], row["stopping"], row["policy"], row["setting"]): row for row in rows}
    assert here["made", "fixed", "greedy", 69]["loss"] == pytest.approx(0, abs=1e-5)
    assert here["made", "fixed", "random", 1]["picks"] == 8 and here["real", "fixed", "grpo", 1]["count"] == 1
    assert {row["picks"] for row in rows if row["stopping"] != "fixed"} <= {n / 2 for n in range(16, 33)}
    losses = [here["made", "fixed", "greedy", budget]["loss"] for budget in (1, 69)]
    assert losses[0] > losses[1]
    needs = read(workplace / "autogaze_needed.csv")
    assert {(row["stopping"], row["policy"]) for row in needs if row["clips"] == "made"} == {
        *(("fixed", arm) for arm in arms.split(",")),
        *(("own", arm) for arm in ("ntp", "grpo", "ntp_one_head", "grpo_elsewhere")),
        *(("true", arm) for arm in ("random", "coarse_first", "frame_difference", "greedy")),
    }
    same = [row["times"] for row in needs if (row["stopping"], row["policy"]) == ("fixed", "ntp")]
    assert set(same) <= {1, None}, "the same weights as grpo"
    predicted = read(workplace / "autogaze_predicted.csv")
    assert [row["setting"] for row in predicted if row["policy"] == "ntp"] == [1, 0.7, 0.5, 0.3, 0.2]
    epsilons = read(workplace / "autogaze_epsilon.csv")
    assert [row["epsilon"] for row in epsilons if row["policy"] == "grpo"] == [0.7, 0.5, 0.3, 0.2]
    for printed in (
        autogaze.needed_table(needs, "fixed"),
        autogaze.needed_table(needs, "own"),
        autogaze.loss_table(rows, "real"),
        autogaze.predicted_table(predicted),
        autogaze.epsilon_table(epsilons),
    ):
        assert printed in said
    assert Image.open(workplace / "autogaze.png").width > 200
    files = {path: path.stat().st_mtime_ns for path in (workplace / "outputs").rglob("*.npz")}
    assert len(files) == 16
    autogaze.main(words)
    assert {path: path.stat().st_mtime_ns for path in files} == files, "nothing is measured twice"


def test_what_was_measured_is_told_apart(tmp_path: Path) -> None:
    network = small()
    bench = Bench("made", network, noise(2, 2, 32), "x", tmp_path)
    first = bench.measured("random", None, Plan((1, 2), 5, (0.5,), 0, False))
    other = bench.measured("random", None, Plan((1, 2), 5, (0.5,), 1, False))
    assert len(list(tmp_path.glob("made-random-*.npz"))) == 2
    assert first["fixed_picks"].tolist() == other["fixed_picks"].tolist()
    assert first["fixed_loss"].tolist() != other["fixed_loss"].tolist()
    assert made_clips(9000, 1, 32).shape == (1, FRAMES, 3, 32, 32)
