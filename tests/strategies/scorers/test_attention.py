"""Attention scores: hand-computed reductions over heads, rows and layers, the two softmaxes, the sink filter."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from framework.core.view import GroupView, MissingNeed, Needs, Probe
from framework.testing import toys
from strategies.scorers.attention import Attention

# two heads, three text rows, three visual tokens
MAP = torch.tensor(
    [
        [[0.1, 0.2, 0.3], [0.4, 0.0, 0.0], [0.1, 0.1, 0.2]],
        [[0.3, 0.0, 0.1], [0.0, 0.2, 0.0], [0.3, 0.1, 0.0]],
    ]
)
ROWS = {"question": [0, 1], "question_end": [1], "options": [], "template": [2], "last": [2]}


def _view(**captured: torch.Tensor) -> GroupView:
    layers = {int(name.removeprefix("layer")): one for name, one in (captured or {"layer2": MAP}).items()}
    probe = Probe({name: torch.tensor(at, dtype=torch.long) for name, at in ROWS.items()}, torch.tensor([0]), layers)
    view = toys.view(Needs(), ticks=1)
    return replace(view, layout=view.layout[torch.arange(3)], shown_probe=probe)


def _scorer(**changed: Any) -> Attention:
    plain = {"layers": [2], "rows": "all", "heads": "max", "reduce": "max", "softmax": "full_row", "sink": None}
    return Attention(**{**plain, **changed})


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, [0.4, 0.2, 0.3]),
        ({"heads": "mean"}, [0.2, 0.1, 0.2]),  # by row: (.2 .1 .2) (.2 .1 0) (.2 .1 .1)
        ({"reduce": "mean"}, [1.0 / 3, 0.5 / 3, 0.5 / 3]),  # by row: (.3 .2 .3) (.4 .2 0) (.3 .1 .2)
        ({"heads": "mean", "reduce": "mean"}, [0.2, 0.1, 0.1]),
        ({"rows": "question"}, [0.4, 0.2, 0.3]),
        ({"rows": "question_end"}, [0.4, 0.2, 0.0]),
        ({"rows": "question_end", "heads": "mean"}, [0.2, 0.1, 0.0]),
        ({"rows": "last"}, [0.3, 0.1, 0.2]),
    ],
)
def test_reductions(changed: dict[str, Any], expected: list[float]) -> None:
    assert _scorer(**changed).score(_view()).values.tolist() == pytest.approx(expected, abs=1e-6)


def test_vision_only_renormalises_every_row() -> None:
    found = _scorer(softmax="vision_only", rows="last", heads="mean").score(_view()).values
    assert found.tolist() == pytest.approx([(0.25 + 0.75) / 2, (0.25 + 0.25) / 2, (0.5 + 0.0) / 2], abs=1e-6)


def test_vision_only_of_a_row_that_sees_no_video_is_zero() -> None:
    found = _scorer(softmax="vision_only").score(_view(layer2=torch.zeros(2, 3, 3))).values
    assert found.tolist() == [0.0, 0.0, 0.0]


def test_layers_are_averaged() -> None:
    found = _scorer(layers=[2, 4]).score(_view(layer2=MAP, layer4=torch.zeros(2, 3, 3))).values
    assert found.tolist() == pytest.approx([0.2, 0.1, 0.15], abs=1e-6)


def test_a_sink_is_barred() -> None:
    sinking = MAP.clone()
    sinking[:, :, 1] = 0.8  # mean shares .2 .8 .1, their mean .3667: the multiple is 2.18
    assert _scorer(sink=2.0).score(_view(layer2=sinking)).values.tolist() == pytest.approx([0.4, -math.inf, 0.3])
    assert _scorer(sink=2.2).score(_view(layer2=sinking)).values.tolist() == pytest.approx([0.4, 0.8, 0.3])
    assert _scorer(sink=1.1).score(_view(layer2=torch.full((2, 3, 3), 0.1))).values.isfinite().all()


def test_half_precision_maps_give_float32() -> None:
    assert _scorer().score(_view(layer2=MAP.bfloat16())).values.dtype == torch.float32


def test_it_needs_its_layers_and_no_more() -> None:
    assert _scorer(layers=[5, 3, 5]).needs == Needs(attention=(3, 5))
    with pytest.raises(MissingNeed, match="attention"):
        _scorer().score(toys.view(Needs(logits=True)))


def test_a_question_without_the_asked_rows_is_named() -> None:
    with pytest.raises(ValueError, match=r"'toy' has no options rows: choose scorer\.rows=all"):
        _scorer(rows="options").score(_view())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"layers": []}, "scorer.layers"),
        ({"layers": [-1]}, "scorer.layers"),
        ({"rows": "some"}, "scorer.rows must be one of all, question"),
        ({"heads": "min"}, "scorer.heads"),
        ({"reduce": "sum"}, "scorer.reduce"),
        ({"softmax": "half"}, "scorer.softmax"),
        ({"sink": 1.0}, "scorer.sink"),
    ],
)
def test_bad_keys_are_named(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _scorer(**changed)
