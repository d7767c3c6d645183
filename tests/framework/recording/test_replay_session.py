"""A replay answers like the live run it was recorded from, and never looks at the video."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import DictConfig

from framework.benchmarks.base import VideoItem
from framework.config.parts import build_pipeline
from framework.core.errors import UsageError
from framework.core.interfaces import RelevanceEstimator
from framework.core.outcome import Outcome
from framework.core.types import Question, Relevance
from framework.core.view import GroupView, Needs
from framework.engine.pipeline import Pipeline
from framework.recording.file import RecordingFile
from framework.recording.logits import CompactLogits
from framework.recording.recording_session import Recorder
from framework.recording.replay_session import NotRecorded, Recordings

Compose = Callable[..., DictConfig]
Build = Callable[..., Pipeline]


@pytest.fixture
def pipeline(composed: Compose) -> Build:
    return lambda *overrides: build_pipeline(composed(*overrides))


@pytest.fixture(scope="session")
def recorded(composed: Compose, needle_video: VideoItem, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the probes of AdaptToken over the needle video, all five questions sharing the passes."""
    folder = tmp_path_factory.mktemp("recorded")
    record(build_pipeline(composed("preset=adapttoken")), needle_video, folder)
    return folder


def asked(video: VideoItem) -> list[Question]:
    return [item.question for item in video.items]


def record(live: Pipeline, video: VideoItem, folder: Path, questions: int = 5) -> list[Outcome]:
    return replace(live, open_session=Recorder(folder).open).answer(video.path, asked(video)[:questions])


def refuse(*arguments: Any, **more: Any) -> Any:
    raise AssertionError("a replay looked at the video")


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> Callable[[Pipeline, Path], Pipeline]:
    """A pipeline over recorded probes whose vision tower, passes over groups and readers fail when they are used."""

    def made(live: Pipeline, folder: Path) -> Pipeline:
        stock = live.backbone.probe
        monkeypatch.setattr(live.backbone, "encode", refuse)
        monkeypatch.setattr(live.backbone, "probe", lambda t, q, n: refuse() if len(t) else stock(t, q, n))
        for name in ("info", "decode"):
            monkeypatch.setattr(type(live.reader), name, refuse)
        return replace(live, open_session=Recordings(folder).open)

    return made


def same(live: Sequence[Outcome], again: Sequence[Outcome]) -> None:
    """Equal in all that a result line holds, probabilities within 1e-5."""
    for one, other in zip(live, again, strict=True):
        assert other.answer.choice == one.answer.choice and other.answer.text == one.answer.text
        assert other.answer.probabilities == pytest.approx(one.answer.probabilities, abs=1e-5)
        for before, after in zip(one.trace.groups, other.trace.groups, strict=True):
            told = ("index", "seconds", "visited", "unit", "choice", "quota", "kept")
            assert [getattr(after, key) for key in told] == [getattr(before, key) for key in told]
            assert (after.relevance is None) == (before.relevance is None)
            if before.relevance is not None:
                assert (after.relevance, after.raw) == pytest.approx((before.relevance, before.raw), abs=1e-5)
            assert after.signals == pytest.approx(before.signals, abs=1e-5)
        assert one.trace.offered is not None and other.trace.offered is not None
        assert torch.equal(other.trace.offered.seconds, one.trace.offered.seconds)
        assert torch.equal(other.trace.offered.tick.row, one.trace.offered.tick.row)
        told = ("tokens_seen", "tokens_total", "tokens_kept")
        assert [getattr(other.trace, key) for key in told] == [getattr(one.trace, key) for key in told]
        assert (one.selection is None) == (other.selection is None)
        if one.selection is not None and other.selection is not None:
            for key in ("tick", "row", "column", "seconds", "embeddings"):
                assert torch.allclose(
                    getattr(other.selection.tokens, key), getattr(one.selection.tokens, key), atol=1e-5
                )


SWAPS = [
    ("preset=adapttoken_agreement", "scheduler=upper_confidence", "stopping=certain", "stopping.entropy=0.05"),
    ("preset=adapttoken", "relevance=margin", "allocator.temperature=1", "budget=8"),
    ("preset=adapttoken", "relevance=entropy", "relevance.prior=subtract", "stopping=patience"),
    ("preset=adapttoken", "relevance=log_probability", "allocator=pooled", "refiner=none"),
    ("preset=adapttoken", "stopping=quantile", "scheduler=random"),
    ("preset=adapttoken", "answerer=vote"),
    ("preset=adapttoken_agreement", "answerer=best_group"),
]


@pytest.mark.parametrize(
    "overrides", [("adapttoken", True), ("adapttoken_agreement", True), ("adapttoken_agreement", False)]
)
def test_replayed_equals_live(
    overrides: tuple[str, bool],
    pipeline: Build,
    needle_video: VideoItem,
    recorded: Path,
    blind: Callable[[Pipeline, Path], Pipeline],
) -> None:
    preset, share = overrides
    live = pipeline(f"preset={preset}", f"share={share}")
    before = live.answer(needle_video.path, asked(needle_video))
    same(before, blind(live, recorded).answer("/moved/elsewhere.mp4", asked(needle_video)))


@pytest.mark.parametrize("overrides", SWAPS, ids=" ".join)
def test_what_comes_after_the_probe_can_be_swapped(
    overrides: tuple[str, ...],
    pipeline: Build,
    needle_video: VideoItem,
    recorded: Path,
    blind: Callable[[Pipeline, Path], Pipeline],
) -> None:
    live = pipeline(*overrides)
    before = live.answer(needle_video.path, asked(needle_video)[:2])
    same(before, blind(live, recorded).answer(needle_video.path, asked(needle_video)[:2]))


def test_neither_order_nor_sharing_changes_a_score(
    pipeline: Build, needle_video: VideoItem, recorded: Path, tmp_path: Path
) -> None:
    """Every entry that Lite sees, each question alone, holds what AdaptToken's questions saw together."""
    record(pipeline("preset=adapttoken_agreement", "share=false"), needle_video, tmp_path, 2)
    (together,) = map(RecordingFile, recorded.iterdir())
    entries = 0
    for alone in map(RecordingFile, tmp_path.iterdir()):
        (question,) = alone.header["questions"]
        for group in range(len(alone.groups)):
            if (entry := alone.entry(question, group)) is not None:
                other = together.entry(question, group)
                assert other is not None and entry.logits is not None and other.logits is not None
                assert torch.allclose(entry.scores.values, other.scores.values, atol=1e-5)
                assert torch.allclose(entry.logits.values, other.logits.values, atol=1e-4)
                entries += 1
    assert 4 <= entries < 32


def test_recording_changes_nothing(pipeline: Build, needle_video: VideoItem, tmp_path: Path) -> None:
    live = pipeline("preset=adapttoken_agreement")
    same(live.answer(needle_video.path, asked(needle_video)[:2]), record(live, needle_video, tmp_path, 2))


def test_recorded_one_by_one_equals_recorded_together(
    pipeline: Build, needle_video: VideoItem, tmp_path: Path, blind: Callable[[Pipeline, Path], Pipeline]
) -> None:
    questions = asked(needle_video)[:2]
    recording = replace(pipeline("preset=adapttoken", "share=false"), open_session=Recorder(tmp_path).open)
    recording.answer(needle_video.path, questions)
    assert len(list(tmp_path.iterdir())) == 2
    assert Recorder(tmp_path).settled(replace(needle_video, items=needle_video.items[:2]))
    live = pipeline("preset=adapttoken_agreement")
    before = live.answer(needle_video.path, questions)
    same(before, blind(live, tmp_path).answer(needle_video.path, questions))


@pytest.mark.parametrize(
    "words", ["uniform", "flexselect", "high_entropy", "vote", "random", "adapttoken scorer=shortlist qtsplus.rho=0.5"]
)
def test_every_preset_replays_itself(
    words: str, pipeline: Build, needle_video: VideoItem, tmp_path: Path, blind: Callable[[Pipeline, Path], Pipeline]
) -> None:
    live = pipeline(*f"preset={words}".split())
    questions = asked(needle_video)[:2]
    before = replace(live, open_session=Recorder(tmp_path).open).answer(needle_video.path, questions)
    same(before, blind(live, tmp_path).answer(needle_video.path, questions))


def test_an_adaptive_order_is_replayed_from_another(
    pipeline: Build, needle_video: VideoItem, tmp_path: Path, blind: Callable[[Pipeline, Path], Pipeline]
) -> None:
    record(pipeline("preset=adapttoken", "scheduler=upper_confidence"), needle_video, tmp_path, 2)
    live = pipeline("preset=adapttoken_agreement")
    before = live.answer(needle_video.path, asked(needle_video)[:2])
    same(before, blind(live, tmp_path).answer(needle_video.path, asked(needle_video)[:2]))


def test_the_recorder_knows_what_it_holds(needle_video: VideoItem, recorded: Path, tmp_path: Path) -> None:
    assert Recorder(recorded).settled(needle_video)
    assert not Recorder(recorded).settled(replace(needle_video, items=needle_video.items[:4]))
    assert not Recorder(tmp_path).settled(needle_video)


def test_a_failed_look_leaves_nothing(
    pipeline: Build, needle_video: VideoItem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = pipeline("preset=adapttoken")
    monkeypatch.setattr(live.backbone, "probe", refuse)
    with pytest.raises(AssertionError):
        record(live, needle_video, tmp_path, 2)
    assert list(tmp_path.iterdir()) == []


def test_a_group_that_was_never_visited(pipeline: Build, needle_video: VideoItem, tmp_path: Path) -> None:
    record(pipeline("preset=adapttoken_agreement", "stopping=certain", "stopping.entropy=9"), needle_video, tmp_path, 2)
    again = replace(pipeline("preset=adapttoken"), open_session=Recordings(tmp_path).open)
    with pytest.raises(UsageError, match="record with stopping=never"):
        again.answer(needle_video.path, asked(needle_video)[:2])


def test_a_question_that_was_never_recorded(pipeline: Build, needle_video: VideoItem, recorded: Path) -> None:
    again = replace(pipeline("preset=adapttoken"), open_session=Recordings(recorded).open)
    with pytest.raises(NotRecorded, match="another"):
        again.answer(needle_video.path, [replace(asked(needle_video)[0], id="another")])


def test_a_question_in_other_words(pipeline: Build, needle_video: VideoItem, recorded: Path) -> None:
    again = replace(pipeline("preset=adapttoken"), open_session=Recordings(recorded).open)
    question = asked(needle_video)[0]
    with pytest.raises(UsageError, match="in other words"):
        again.answer(needle_video.path, [replace(question, prompt=question.prompt + " !")])


def test_tokens_beyond_the_recorded_budget(pipeline: Build, needle_video: VideoItem, tmp_path: Path) -> None:
    record(pipeline("preset=adapttoken", "budget=4"), needle_video, tmp_path, 2)
    assert Recordings(tmp_path).most == 5  # ceil(1.1 x 4)
    again = replace(pipeline("preset=adapttoken", "budget=400"), open_session=Recordings(tmp_path).open)
    with pytest.raises(UsageError, match="record with a larger budget"):
        again.answer(needle_video.path, asked(needle_video)[:2])


def test_a_large_vocabulary_is_kept_in_part(
    pipeline: Build,
    needle_video: VideoItem,
    tmp_path: Path,
    blind: Callable[[Pipeline, Path], Pipeline],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """24 of the lab's 372 words stand in for 256 of 150,000; an open question has a response of several tokens."""
    stock = CompactLogits.of
    monkeypatch.setattr(CompactLogits, "of", staticmethod(lambda logits, always: stock(logits, always, 24)))
    first = asked(needle_video)[0]
    questions = [first, replace(first, id="open", prompt=first.bare, options=(), max_new_tokens=3)]
    live = pipeline("preset=adapttoken_agreement")
    before = live.answer(needle_video.path, questions)
    replace(pipeline("preset=adapttoken"), open_session=Recorder(tmp_path).open).answer(needle_video.path, questions)
    same(before, blind(live, tmp_path).answer(needle_video.path, questions))


class Squared(RelevanceEstimator):
    """Someone's own estimator: sum of squared probabilities."""

    @property
    def needs(self) -> Needs:
        return Needs(logits=True)

    def relevance(self, view: GroupView) -> Relevance:
        raw = float(view.probe.logits.softmax(-1).square().sum(-1).mean())
        return Relevance(raw - 1, raw, "probability")


def test_an_estimator_that_was_written_later(
    pipeline: Build, needle_video: VideoItem, recorded: Path, blind: Callable[[Pipeline, Path], Pipeline]
) -> None:
    live = replace(pipeline("preset=adapttoken"), relevance=Squared())
    before = live.answer(needle_video.path, asked(needle_video)[:2])
    same(before, blind(live, recorded).answer(needle_video.path, asked(needle_video)[:2]))


def test_an_empty_folder_is_no_recording(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="record=true"):
        Recordings(tmp_path)


def test_a_file_that_is_no_recording(tmp_path: Path) -> None:
    (tmp_path / "broken.safetensors").write_bytes(b"\x05\0\0\0\0\0\0\0{}   ")
    with pytest.raises(UsageError, match="no recording of probes"):
        Recordings(tmp_path)
