"""Values refuse what cannot be, and print shapes."""

from __future__ import annotations

import math

import pytest
import torch

from framework.core.types import Candidates, Group, Question, Scores, Selection, Timeline, Tokens
from framework.core.view import MissingNeed, Needs
from framework.testing import toys


def test_timeline_refuses_disorder_and_emptiness() -> None:
    with pytest.raises(ValueError, match="ascend"):
        Timeline("a.mp4", torch.tensor([1.0, 0.5]), torch.zeros(2, 2, dtype=torch.long))
    with pytest.raises(ValueError, match="at least one tick"):
        Timeline("a.mp4", torch.zeros(0), torch.zeros(0, 2, dtype=torch.long))


def test_group_is_an_index_set() -> None:
    with pytest.raises(ValueError, match="duplicates"):
        Group(0, torch.tensor([1, 1]))
    with pytest.raises(ValueError, match="Tg > 0"):
        Group(0, torch.zeros(0, dtype=torch.long))


def test_question_knows_its_letters_and_refuses_one_option() -> None:
    assert Question("q", "why ?", "why ?", ("a", "b", "c")).letters == ("A", "B", "C")
    with pytest.raises(ValueError, match="one option is no choice"):
        Question("q", "why ?", "why ?", ("a",))
    with pytest.raises(ValueError, match="empty"):
        Question("q", "", " ")


def test_needs_unite() -> None:
    both = Needs(attention=(3, 1)) | Needs(attention=(2,), logits=True)
    assert both == Needs(attention=(1, 2, 3), logits=True)
    assert both.probe and not both.nothing and Needs().nothing


def test_reading_what_was_not_asked_for_names_the_need() -> None:
    view = toys.view(Needs(logits=True))
    assert view.probe.logits.shape == (2, toys.VOCABULARY)
    with pytest.raises(MissingNeed, match="pixels=True"):
        _ = view.frames
    with pytest.raises(MissingNeed, match="attention"):
        _ = view.probe.attention


def test_scores_refuse_nan() -> None:
    with pytest.raises(ValueError, match="NaN"):
        Scores(torch.tensor([1.0, math.nan]))
    assert len(Scores(torch.tensor([1.0, -math.inf])).values) == 2


@pytest.mark.parametrize("errors", [[1.0, 0.5, 0.6], [1.0, math.nan], [1.0, -0.1], [], [1.0, 0.5, 0.2, 0.0]])
def test_scores_refuse_errors_that_cannot_be(errors: list[float]) -> None:
    with pytest.raises(ValueError, match="errors"):
        Scores(torch.tensor([2.0, 1.0, -math.inf]), errors=torch.tensor(errors))
    assert Scores(torch.tensor([2.0, 1.0, -math.inf]), errors=torch.tensor([1.0, 0.5, 0.5])).errors is not None


def test_selection_is_ordered_unique_and_within_budget() -> None:
    given = toys.candidates(20)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(0))
    mixed = Candidates(given.tokens[order], given.group[order], given.score[order], given.weight[order], 1.0)
    kept = Selection.of(mixed, torch.arange(20), 20)
    expected = sorted(
        zip(given.tokens.tick.tolist(), given.tokens.row.tolist(), given.tokens.column.tolist(), strict=True)
    )
    assert (
        list(zip(kept.tokens.tick.tolist(), kept.tokens.row.tolist(), kept.tokens.column.tolist(), strict=True))
        == expected
    )
    with pytest.raises(ValueError, match="exceed the budget"):
        Selection.of(mixed, torch.arange(20), 19)
    with pytest.raises(ValueError, match="kept twice"):
        Selection.of(mixed, torch.tensor([0, 0]), 19)


def test_tokens_keep_what_a_family_carries() -> None:
    grid = toys.tokens(torch.arange(2), 0)
    tokens = Tokens(grid.embeddings, grid.tick, grid.row, grid.column, grid.seconds, {"deep": torch.arange(24)})
    assert Tokens.cat([tokens[torch.tensor([3])], tokens[torch.tensor([5])]]).extra["deep"].tolist() == [3, 5]
    with pytest.raises(ValueError, match="same N"):
        Tokens(grid.embeddings[:3], grid.tick, grid.row, grid.column, grid.seconds)


def test_values_print_shapes() -> None:
    assert "float32[24, 16]" in repr(toys.tokens(torch.arange(2), 0))
