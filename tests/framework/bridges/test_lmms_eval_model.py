"""lmms-eval's requests through our model are our pipeline's answers. Runs where lmms-eval is (docs/lmms_eval.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig

pytest.importorskip("lmms_eval", reason="lmms-eval lives in an environment of its own: docs/lmms_eval.md")

from lmms_eval.api.instance import Instance
from lmms_eval.models import get_model

from framework.config.parts import build_pipeline
from framework.core.errors import UsageError

SETTINGS = {"max_new_tokens": 4, "until": ["\n\n"]}


@pytest.fixture(scope="module")
def model() -> Any:
    """Found by name in lmms-eval's registry, made the way its command line makes it."""
    arguments = "preset=adapttoken_agreement,backbone=lab,budget=16"
    return get_model("tokensieve").create_from_arg_string(arguments, {"batch_size": 1, "device": "cpu"})


def rows(video: Any) -> list[dict[str, Any]]:
    return [{"video": video.path, "question": i.question.bare, "text": i.question.prompt} for i in video.items]


def messages(row: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"role": "user", "content": [{"type": "video", "url": row["video"]}, {"type": "text", "text": row["text"]}]}
    ]


def requests(model: Any, rows: list[dict[str, Any]], order: list[int]) -> list[Instance]:
    model.task_dict = {"task": {"test": rows}}
    about = {"task": "task", "repeats": 1}
    return [
        Instance("generate_until", ("", messages, SETTINGS, i, "task", "test"), 0, {**about, "doc_id": i})
        for i in order
    ]


def test_answers_are_the_pipelines_in_the_order_asked(
    model: Any, needle_video: Any, composed: Callable[..., DictConfig]
) -> None:
    overrides = ("preset=adapttoken_agreement", "backbone=lab", "budget=16", "backbone.adapter.device=cpu")
    posed = [replace(item.question, options=(), max_new_tokens=4) for item in needle_video.items]
    outcomes = build_pipeline(composed(*overrides)).answer(needle_video.path, posed)
    expected = [outcome.answer.text for outcome in outcomes]
    order = [3, 0, 4, 1, 2, 2]  # one of them twice
    found = model.generate_until(requests(model, rows(needle_video), order))
    assert [answer.text for answer in found] == [expected[i] for i in order]
    assert len(set(expected)) > 1
    assert found[0].token_counts.input_tokens > 16 and found[0].token_counts.output_tokens >= 1


def test_a_broken_video_costs_its_own_questions_only(
    model: Any, needle_video: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    good = rows(needle_video)[:2]
    found = model.generate_until(requests(model, [good[0], {**good[0], "video": str(broken)}, good[1]], [0, 1, 2]))
    assert [bool(answer.text) for answer in found] == [True, False, True]
    assert "1 of 3 questions failed" in caplog.text and "broken.mp4" in caplog.text
    with pytest.raises(RuntimeError, match=r"1 of 1 questions failed.*\n.*broken\.mp4"):
        model.generate_until(requests(model, [{**good[0], "video": str(broken)}], [0]))


def test_what_cannot_be_asked_names_the_row(model: Any, needle_video: Any) -> None:
    (row, *_) = rows(needle_video)
    asking = requests(model, [row], [0])
    asking[0].arguments = ("", lambda row: [{"role": "user", "content": []}], *asking[0].arguments[2:])
    with pytest.raises(ValueError, match="task/test/0 cannot be asked: got content of"):
        model.generate_until(asking)
    for refused in (model.loglikelihood, model.generate_until_multi_round):
        with pytest.raises(UsageError, match="output_type: generate_until"):
            refused(asking)
