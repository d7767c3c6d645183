"""The reconstruction scorer in the whole loop: shared, recorded and replayed with another error, before the tower."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig

from framework.benchmarks.base import VideoItem
from framework.config.build import ConfigError
from framework.config.parts import build_pipeline
from framework.core.outcome import Outcome
from framework.engine.pipeline import Pipeline
from framework.recording.recording_session import Recorder
from framework.recording.replay_session import Recordings

Ask = Callable[..., list[Outcome]]
PRESET = "preset=adapttoken_reconstruction"
CAPPED = (PRESET, "backbone.group_ticks=8", "allocator=epsilon", "refiner=none", "budget=512")


@pytest.fixture
def built(composed: Callable[..., DictConfig]) -> Callable[..., Pipeline]:
    return lambda *overrides: build_pipeline(composed(*overrides))


@pytest.fixture
def ask(built: Callable[..., Pipeline], needle_video: VideoItem) -> Ask:
    def outcomes(*overrides: str, questions: int = 1) -> list[Outcome]:
        return built(*overrides).answer(needle_video.path, [i.question for i in needle_video.items[:questions]])

    return outcomes


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("scorer=attention",), r"allocator=epsilon .* the scorer, \w+, does not give: choose scorer=reconstruction"),
        (
            ("scorer=autogaze", "scorer.checkpoint=random:0"),
            r"allocator=epsilon .* the scorer, AutoGaze, does not give",
        ),
        (("scorer=smoothed",), r"allocator=epsilon .* the scorer, Smoothed, does not give"),
        (
            ("scorer=reconstruction_pixels", "allocator.epsilon=0.005"),
            r"allocator.epsilon=0.005 cannot be met: .* stops at an error of 0.01; set scorer.enough",
        ),
    ],
)
def test_parts_that_do_not_go_together_are_refused_before_the_backbone(
    built: Callable[..., Pipeline], words: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("framework.config.parts.build_backbone", lambda cfg: pytest.fail("a model was loaded"))
    with pytest.raises(ConfigError, match=said):
        built("preset=adapttoken", "allocator=epsilon", *words)


def test_in_adapttokens_loop_the_error_is_written_down(ask: Ask) -> None:
    trace = ask(PRESET)[0].trace
    assert trace.tokens_kept == 32 and trace.stages["probe"].passes == len(trace.groups)
    for group in trace.groups:
        assert (
            1 > group.signals["error_at_0.1"] >= group.signals["error_at_0.5"] >= 0 < group.signals["error_of_nothing"]
        )


def test_epsilon_saves_and_larger_errors_save_more(ask: Ask) -> None:
    traces = [ask(*CAPPED, f"allocator.epsilon={epsilon}")[0].trace for epsilon in (0.3, 0.6, 1.0)]
    kept = [trace.tokens_kept for trace in traces]
    assert 512 > kept[0] > kept[1] > kept[2] == len(traces[2].groups)  # one token each
    overselected = ask(*CAPPED, "allocator.epsilon=0.3", "refiner=location_aware")[0].trace
    assert overselected.tokens_kept == kept[0] == sum(group.quota for group in overselected.groups)


def test_sharing_changes_nothing(ask: Ask) -> None:
    for scorer in ("reconstruction", "reconstruction_query"):
        given = (*CAPPED, f"scorer={scorer}", "allocator.epsilon=0.4")
        together, alone = (ask(*given, share, questions=2) for share in ("share=true", "share=false"))
        for one, other in zip(together, alone, strict=True):
            assert one.selection is not None and other.selection is not None
            assert torch.equal(one.selection.tokens.tick, other.selection.tokens.tick)
            assert torch.equal(one.selection.tokens.column, other.selection.tokens.column)


def test_a_recording_answers_for_another_error(
    built: Callable[..., Pipeline], needle_video: VideoItem, tmp_path: Path
) -> None:
    questions = [item.question for item in needle_video.items[:2]]
    replace(built(*CAPPED), open_session=Recorder(tmp_path).open).answer(needle_video.path, questions)
    other = built(*CAPPED, "allocator.epsilon=0.05")
    live = other.answer(needle_video.path, questions)
    again = replace(other, open_session=Recordings(tmp_path).open).answer(needle_video.path, questions)
    for one, two in zip(live, again, strict=True):
        assert [group.quota for group in one.trace.groups] == [group.quota for group in two.trace.groups]
        assert one.trace.tokens_kept == two.trace.tokens_kept


def test_pixels_spare_the_tower(ask: Ask) -> None:
    """What is refused is neither encoded nor probed."""
    given = (PRESET, "scorer=reconstruction_pixels", "refiner=none")
    (all_of_it,) = ask(*given, "scorer.enough=null")
    (spared,) = ask(*given, "scorer.enough=0.5")
    stages, full = spared.trace.stages, all_of_it.trace.stages
    assert stages["encode"].tokens < full["encode"].tokens / 2 and stages["probe"].tokens == stages["encode"].tokens
    assert spared.trace.tokens_seen == stages["encode"].tokens and spared.trace.tokens_kept == 32


def test_what_needs_no_question_is_scored_once(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    from framework.ops.greedy.facility import Facility

    made, stock = [], Facility.__init__
    monkeypatch.setattr(Facility, "__init__", lambda *given: (made.append(1), stock(*given))[1])
    for scorer, times in (("reconstruction", 1), ("reconstruction_pixels", 1), ("reconstruction_query", 3)):
        made.clear()
        groups = ask(PRESET, f"scorer={scorer}", questions=3)[0].trace.groups
        assert len(made) == times * len(groups)
