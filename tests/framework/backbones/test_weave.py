"""A prefix of pieces: what stands where, and what is refused."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from framework.backbones.weave import ticks_of, weave, with_empty
from framework.core.types import Tokens


def made(*ticks: int) -> Tokens:
    """Tokens with the embeddings (100, 100), (101, 101), ..."""
    tick = torch.tensor(ticks, dtype=torch.long)
    embeddings = 100.0 + torch.arange(len(ticks))[:, None].expand(-1, 2)
    return Tokens(embeddings, tick, tick * 0, torch.arange(len(ticks)), tick.double())


def embed(ids: Tensor) -> Tensor:
    return ids.float()[:, None].expand(-1, 2)


def test_text_stands_between_ticks_and_a_made_row_may_follow_them() -> None:
    newline = torch.full((1, 2), 0.5)
    pieces = [torch.tensor([7, 8]), slice(0, 2), newline, torch.tensor([9]), slice(2, 3), newline]
    embeddings, columns = weave(pieces, made(0, 0, 4), embed)
    assert embeddings[:, 0].tolist() == [7, 8, 100, 101, 0.5, 9, 102, 0.5]
    assert columns.tolist() == [2, 3, 6]


def test_no_text_and_no_tokens() -> None:
    assert weave([slice(0, 1)], made(3), embed)[0].tolist() == [[100.0, 100.0]]
    embeddings, columns = weave([torch.tensor([5])], made(), embed)
    assert embeddings.shape == (1, 2) and columns.tolist() == []


@pytest.mark.parametrize("pieces", [[slice(0, 1)], [slice(1, 2), slice(0, 1)], [slice(0, 1), slice(0, 2)], []])
def test_a_token_that_is_left_out_or_out_of_order_is_refused(pieces: list[slice]) -> None:
    with pytest.raises(ValueError, match=r"^the pieces of a prefix "):
        weave(pieces, made(0, 1), embed)


def test_the_ticks_that_hold_a_token() -> None:
    ticks, parts = ticks_of(made(2, 2, 5, 9, 9, 9))
    assert ticks.tolist() == [2, 5, 9] and parts == [slice(0, 2), slice(2, 3), slice(3, 6)]
    assert ticks_of(made())[1] == []
    with pytest.raises(ValueError, match="tick by tick"):
        ticks_of(made(2, 5, 2))


def test_ticks_without_a_token_have_an_empty_slice_in_their_place() -> None:
    ticks, parts = ticks_of(made(1, 1, 4))
    found = with_empty(ticks, parts, 6)
    assert found == [slice(0, 0), slice(0, 2), slice(2, 2), slice(2, 2), slice(2, 3), slice(3, 3)]
    assert torch.equal(weave(found, made(1, 1, 4), embed)[1], torch.arange(3))
