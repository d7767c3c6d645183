"""A question of a recorded run, answered again from its probes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from framework.benchmarks.base import Benchmark, VideoItem
from framework.config.build import build
from framework.config.parts import build_pipeline
from framework.core.errors import UsageError
from framework.core.outcome import Outcome
from framework.evaluation.metrics import group_columns
from framework.recording.again import answer_again, probes_of
from framework.recording.recording_session import FOLDER, Recorder


@pytest.fixture(scope="module")
def run(
    composed: Callable[..., DictConfig], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, VideoItem, Outcome]:
    """A run folder with the probes of one video, its video and the outcome of its second question."""
    folder = tmp_path_factory.mktemp("run")
    cfg = composed("preset=adapttoken", "benchmark.videos=2", "benchmark.frames=64", f"benchmark.folder={folder}/made")
    OmegaConf.save(cfg, folder / "config.yaml", resolve=True)
    video = build(cfg.benchmark, Benchmark, "benchmark")[1]
    pipeline = replace(build_pipeline(cfg), open_session=Recorder(folder / FOLDER).open)
    outcomes = pipeline.answer(video.path, [item.question for item in video.items])
    return folder, video, outcomes[1]


def line(video: VideoItem, outcome: Outcome, **changes: Any) -> dict[str, Any]:
    found = {"id": outcome.question.id, "video": video.id, "groups": group_columns(outcome.trace.groups)}
    return {**found, **changes}


def test_the_same_tokens_are_kept(run: tuple[Path, VideoItem, Outcome]) -> None:
    folder, video, outcome = run
    probes = probes_of(folder)
    assert probes == folder / FOLDER
    Path(video.path).unlink()  # a replay looks at no video
    again = answer_again(folder, probes, line(video, outcome))
    assert (again.video, again.item) == (video.path, video.items[1])
    was, now = outcome.selection, again.outcome.selection
    assert was is not None and now is not None and len(was) > 0
    assert was.tokens.tick.tolist() == now.tokens.tick.tolist() and was.group.tolist() == now.group.tolist()


def test_what_differs_is_refused(run: tuple[Path, VideoItem, Outcome]) -> None:
    folder, video, outcome = run
    other = line(video, outcome)
    other["groups"] = {**other["groups"], "kept": [0] * len(outcome.trace.groups)}
    with pytest.raises(UsageError, match="other kept tokens now"):
        answer_again(folder, folder / FOLDER, other)
    with pytest.raises(UsageError, match="does not have the question nobody now"):
        answer_again(folder, folder / FOLDER, line(video, outcome, id="nobody"))


def test_probes_are_found_behind_a_replay(run: tuple[Path, VideoItem, Outcome], tmp_path: Path) -> None:
    assert probes_of(tmp_path) is None
    OmegaConf.save(OmegaConf.create({"recording": {"folder": str(run[0])}}), tmp_path / "config.yaml")
    assert probes_of(tmp_path) == run[0] / FOLDER
    OmegaConf.save(OmegaConf.create({"budget": 3}), tmp_path / "config.yaml")
    assert probes_of(tmp_path) is None
