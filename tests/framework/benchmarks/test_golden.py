"""What lmms-eval 0.7.3 itself asked and scored, checked with the very lines that docs/benchmarks.md gives to users."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig

from framework.benchmarks.annotated import Annotated
from framework.config.build import build

OPTIONS = {
    "videomme": "videomme",
    "lvbench": "lvbench",
    "mlvu_dev": "mlvu",
    "longvideobench_val_v": "longvideobench",
    "tempcompass_multi_choice": "tempcompass",
    "tempcompass_caption_matching": "tempcompass_caption_matching",
}
NO_METRIC = {"submission"}  # a file that lmms-eval writes


def test_every_task_is_checked(data: Path) -> None:
    golden = json.loads((data / "benchmarks" / "benchmarks_prompts_and_scores.json").read_text("utf-8"))
    assert set(golden["tasks"]) == set(OPTIONS)


@pytest.fixture
def fresh_hydra() -> Iterator[None]:
    """As in a user's new process, where nothing is composed yet."""
    kept = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    yield
    GlobalHydra.instance().hydra = kept


@pytest.mark.parametrize(("task", "option"), OPTIONS.items())
def test_documented_check(task: str, option: str, data: Path, fresh_hydra: None) -> None:
    page = (Path(__file__).parents[3] / "docs" / "benchmarks.md").read_text("utf-8")
    (snippet,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, Any] = {}
    exec(snippet, names)
    path = data / "benchmarks" / "benchmarks_prompts_and_scores.json"
    assert names["check"](option, str(path), task) == (True, True)


@pytest.mark.parametrize(("task", "option"), OPTIONS.items())
def test_all_figures_and_media(task: str, option: str, data: Path, composed: Callable[..., DictConfig]) -> None:
    golden = json.loads((data / "benchmarks" / "benchmarks_prompts_and_scores.json").read_text("utf-8"))["tasks"][task]
    benchmark = build(composed(f"benchmark={option}").benchmark, Annotated, "benchmark")  # type: ignore[type-abstract]
    questions = benchmark.questions(golden["rows"])
    assert [question.prompt for question in questions] == golden["prompts"]
    assert len({question.id for question in questions}) == len(questions)
    assert {question.cue for question in questions} == {""}
    if "max_new_tokens" in golden["gen_kwargs"]:
        assert {question.max_new_tokens for question in questions} == {golden["gen_kwargs"]["max_new_tokens"]}
    results = [benchmark.result(text, row) for text, row in zip(golden["responses"], golden["rows"], strict=True)]
    figures = {name: value for name, value in golden["metrics"].items() if name not in NO_METRIC}
    assert benchmark.aggregate(results) == figures
    for row, place in zip(golden["rows"], golden["video_relpath"], strict=True):
        assert benchmark.video_names(row)[0] == Path(place).name
