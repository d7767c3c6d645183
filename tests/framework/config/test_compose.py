"""Composing from inside a program: like the command line, in somebody else's process, with mistakes in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig

from framework.config.compose import compose_root, words_of
from framework.core.errors import UsageError


def test_values_are_words() -> None:
    values = {"budget": 16, "share": False, "scorer__layers": [1, 2], "sampling": {"fps": None, "side": 0.5}}
    assert words_of(values) == ["budget=16", "share=false", "scorer.layers=[1,2]", "sampling={fps:null,side:0.5}"]
    assert words_of({"preset": "uniform", "folder": "/a b/c"}) == ["preset=uniform", "folder='/a b/c'"]


@settings(deadline=None, max_examples=15)
@given(st.text(min_size=1, max_size=30) | st.sampled_from(["0", "true", "null", "1e3", "asset:lab", "a b", "${seed}"]))
def test_texts_are_meant_literally(text: str) -> None:
    cfg = compose_root(words_of({"benchmark__folder": text}))
    assert cfg.benchmark.folder == text


def test_somebody_elses_hydra_goes_on(composed: Callable[..., DictConfig]) -> None:
    with pytest.raises(UsageError):
        compose_root(["preset=none"])
    assert compose_root([]).budget == 32
    assert composed("budget=7").budget == 7


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"preset": "adaptoken"}, "preset has no option 'adaptoken'.*did you mean adapttoken"),
        ({"budgt": 32}, "budgt: there is no such key; did you mean budget"),
    ],
)
def test_mistakes_are_explained(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        compose_root(words_of(given))
