"""Labels: the published layout, read by the next stage; resumed after a torn line; counts drawn per clip."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from strategies.learned.autogaze.reconstructor.config import ReconstructorConfig
from strategies.learned.autogaze.reconstructor.model import Reconstructor
from strategies.learned.autogaze.training import labelling as gaze_labels
from strategies.learned.autogaze.training.clips import MadeClips
from strategies.learned.autogaze.training.greedy_search import Found
from strategies.learned.autogaze.training.label_files import key_of, read_labels
from strategies.learned.autogaze.training.labelling import SearchSettings, as_published, counts, label

SETTINGS = SearchSettings(shortlist=(2, 3), ratio=(0.15, 0.15), first=10.0, rest=3.0, most=3, batch=2)
CONFIG = ReconstructorConfig((32, 48), 16, 3, 16, 1, 2, 16, 16, 1, 2, 16, True, True, False)
SIDE, FRAMES, SIZE = 48, 3, 13


def reconstructor(seed: int = 0) -> Reconstructor:
    torch.manual_seed(seed)
    return Reconstructor(CONFIG).eval()


def clips(count: int) -> MadeClips:
    return MadeClips(seed=5, count=count, size=SIDE, frames=FRAMES, fps=(4.0, 8.0))


def test_by_hand() -> None:
    found = Found([[3, 1], [], [0]], [[0.5, 0.25], [], [0.1234567]], [1.0, 0.5, 0.125])
    assert as_published(found, 69) == {
        "gazing_pos": [[3, 1], [], [138]],
        "task_losses": [[0.5, 0.25], [], [0.123457]],
        "losses_before": [1.0, 0.5, 0.125],
    }


def test_some_clips_get_few_picks_and_some_many() -> None:
    settings = SearchSettings((2, 3), (0.01, 0.1), first=6.0, rest=3.0, most=10, batch=2)
    drawn = torch.stack([counts(settings, 0, index, 8, 69) for index in range(300)])
    shares = drawn.double().sum(1) / (8 * 69)
    assert int(drawn.min()) == 1 and int(drawn.max()) == 10
    assert shares.min() < 0.02 and 0.08 < shares.max() < 0.12
    assert (
        0.025 < shares.median() < 0.045
    )  # log-uniform: near sqrt(.01 * .1) = .032, the others up by at least one pick
    assert drawn[:, 0].double().mean() > 1.5 * drawn[:, 1:].double().mean()


def test_what_is_written_is_what_the_next_stage_reads(tmp_path: Path) -> None:
    file = label(reconstructor(), clips(5), FRAMES, SETTINGS, seed=1, file=tmp_path / "labels.json")
    told = json.loads(file.read_text())
    assert list(told) == [f"procedural/5/{index}.mp4" for index in range(5)]
    for index, node in enumerate(told.values()):
        assert [len(row) for row in node["gazing_pos"]] == counts(SETTINGS, 1, index, FRAMES, SIZE).tolist()
    read = read_labels([str(file)], SIZE, FRAMES)
    found = read[key_of(clips(5).name(3))]
    assert found.before is not None and len(found.ids) == FRAMES
    assert min(len(row) for row in found.ids) >= 1 and max(len(row) for row in found.ids) <= 3


def test_it_goes_on_where_it_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = label(reconstructor(), clips(5), FRAMES, SETTINGS, seed=1, file=tmp_path / "a" / "labels.json")
    searched: list[int] = []
    real = gaze_labels.search

    def counted(network: Any, pixels: torch.Tensor, *rest: Any) -> Any:
        if len(searched) >= 2:
            raise KeyboardInterrupt
        searched.append(len(pixels))
        return real(network, pixels, *rest)

    monkeypatch.setattr(gaze_labels, "search", counted)
    file = tmp_path / "b" / "labels.json"
    with pytest.raises(KeyboardInterrupt):
        label(reconstructor(), clips(5), FRAMES, SETTINGS, seed=1, file=file)
    (lines,) = file.parent.glob("*.jsonl")
    assert not file.exists() and len(lines.read_text().splitlines()) == 4
    lines.write_bytes(lines.read_bytes()[:-9])  # as a kill may leave it
    searched.clear()
    label(reconstructor(), clips(5), FRAMES, SETTINGS, seed=1, file=file)
    assert sum(searched) == 2 and json.loads(file.read_text()) == json.loads(whole.read_text())


def test_another_reconstructor_or_setting_starts_anew(tmp_path: Path) -> None:
    for network, seed in ((reconstructor(0), 1), (reconstructor(1), 1), (reconstructor(0), 2)):
        label(network, clips(2), FRAMES, SETTINGS, seed, tmp_path / "labels.json")
    assert len(list(tmp_path.glob("*.jsonl"))) == 3


def test_the_first_frame_gets_more() -> None:
    drawn = torch.stack(
        [counts(SearchSettings((4, 8, 12), (0.1, 0.1), 10.0, 3.0, 60, 8), 0, i, 8, 69) for i in range(300)]
    )
    mean = drawn.double().mean(0)
    assert mean[0] / 55.2 == pytest.approx(10 / 31, abs=0.03) and mean[1:].sum() / 55.2 == pytest.approx(
        21 / 31, abs=0.03
    )
    capped = counts(SETTINGS, 0, 7, FRAMES, SIZE)
    assert int(capped.min()) >= 1 and int(capped.max()) <= 3


@pytest.mark.parametrize(
    "change", [{"ratio": (0.0, 0.5)}, {"ratio": (0.5, 0.2)}, {"first": 0.0}, {"rest": -1.0}, {"most": 0}, {"batch": 0}]
)
def test_mistakes(change: dict[str, Any]) -> None:
    given: dict[str, Any] = {"shortlist": (2, 3), "ratio": (0.1, 0.1), "first": 1.0, "rest": 1.0, "most": 3, "batch": 2}
    with pytest.raises(ValueError, match=r"recipe.search: "):
        SearchSettings(**given | change)
