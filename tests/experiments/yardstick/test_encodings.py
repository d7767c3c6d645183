"""What was encoded once serves every group, with the tokens that the video itself would give."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.common import compose_root, composing
from experiments.yardstick.encodings import Encodings
from framework.benchmarks.base import Benchmark, VideoItem
from framework.config.build import build
from framework.config.parts import build_pipeline
from framework.core.outcome import Outcome
from framework.engine.pipeline import Pipeline
from framework.video.readers.pyav import PyAVReader


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> VideoItem:
    words = ["benchmark=needle", "benchmark.frames=96", "benchmark.videos=1", "benchmark.questions=2"]
    with composing():
        cfg = compose_root([*words, f"benchmark.folder={tmp_path_factory.mktemp('rendered')}"])
        return next(iter(build(cfg.benchmark, Benchmark, "benchmark")))  # type: ignore[type-abstract]


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Counts how often a file is decoded."""
    seen: list[str] = []
    decode = PyAVReader.decode

    def counted(self: PyAVReader, path: str, frames: Sequence[int], damaged: Any = None) -> Any:
        seen.append(path)
        return decode(self, path, frames, damaged)

    monkeypatch.setattr(PyAVReader, "decode", counted)
    yield seen


def pipeline(*words: str) -> Pipeline:
    with composing():
        return build_pipeline(compose_root([*words, "backbone.adapter.device=cpu", "budget=12"]))


def asked(one: Pipeline, video: VideoItem) -> list[Outcome]:
    return one.answer(video.path, [item.question for item in video.items])


@pytest.mark.parametrize(
    "words", [("preset=adapttoken",), ("preset=adapttoken", "splitter=contiguous"), ("preset=uniform",)]
)
def test_the_same_answers_from_tokens_that_were_encoded_before(
    words: tuple[str, ...], video: VideoItem, decoded: list[str], tmp_path: Path
) -> None:
    live = pipeline(*words, "backbone.group_ticks=16")
    shared = replace(live, open_session=Encodings(tmp_path).around(live.open_session))
    first, again, itself = asked(shared, video), asked(shared, video), asked(live, video)
    assert len(decoded) == 2  # once for the encodings, once by the video itself
    for mine, twice, theirs in zip(first, again, itself, strict=True):
        assert mine.answer.text == twice.answer.text == theirs.answer.text
        chosen, wanted = mine.selection.tokens, theirs.selection.tokens
        for name in ("tick", "row", "column", "seconds"):
            assert torch.equal(getattr(chosen, name), getattr(wanted, name)), name
        assert torch.allclose(chosen.embeddings, wanted.embeddings, atol=1e-5)


def test_who_looks_at_pixels_sees_the_video(video: VideoItem, decoded: list[str], tmp_path: Path) -> None:
    live = pipeline("preset=autogaze")
    asked(replace(live, open_session=Encodings(tmp_path).around(live.open_session)), video)
    assert len(decoded) == 1 and not list(tmp_path.iterdir())


def test_other_weights_have_encodings_of_their_own(video: VideoItem, decoded: list[str], tmp_path: Path) -> None:
    live = pipeline("preset=uniform")
    kept = Encodings(tmp_path)
    before = kept.tokens(live.setup, video.path)
    changed = pipeline("preset=uniform")
    with torch.no_grad():
        next(changed.backbone.tower.parameters()).add_(0.1)  # type: ignore[attr-defined]
    assert not torch.equal(kept.tokens(changed.setup, video.path).embeddings, before.embeddings)
    assert len(list(tmp_path.iterdir())) == 2 == len(decoded)
