"""What must hold of any selection, whatever the weights."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

CLOSE = {"atol": 1e-5, "rtol": 1e-5}


@pytest.mark.parametrize("most", [None, 5])
@pytest.mark.parametrize("rho", [None, 0.2, 1.0])
def test_without_reencoding_it_is_a_subset_in_order(selector, batch, most: int | None, rho: float | None) -> None:
    chooser, given_batch = selector(reencoding=0), batch(3, 40, 5)
    with torch.no_grad():
        chosen = chooser(*given_batch, rho=rho, most=most)
    for i in range(3):
        index = chosen.index[i][chosen.mask[i]]
        assert torch.equal(chosen.tokens[i][chosen.mask[i]], given_batch[0][i][index])  # bit by bit
        assert (index.diff() > 0).all() and len(index) == int(chosen.count[i])
        assert torch.equal(index, chosen.log_scores[i].topk(len(index)).indices.sort().values)
        assert (0.05 <= float(chosen.rho[i]) <= 0.5) if rho is None else float(chosen.rho[i]) == pytest.approx(rho)
        assert 1 <= len(index) <= min(40, most or 40)


def test_everything_at_once_is_one_by_one(selector, batch) -> None:
    """A batch of videos and questions of different lengths, padded with rubbish."""
    chooser = selector(scoring=2, time=True, official=True)
    tokens, mask, query, query_mask, seconds = batch(3, 30, 6)
    lengths, words = (30, 11, 1), (2, 6, 1)
    for i in range(3):
        mask[i, lengths[i] :], query_mask[i, words[i] :] = False, False
    tokens, query = (x.masked_fill(~m[..., None], 77.0) for x, m in ((tokens, mask), (query, query_mask)))
    together = chooser(tokens, mask, query, query_mask, seconds)
    for i in range(3):
        m, n = lengths[i], words[i]
        alone = chooser(*(x[i : i + 1, :m] for x in (tokens, mask)), *(x[i : i + 1, :n] for x in (query, query_mask)),
                        seconds[i : i + 1, :m])  # fmt: skip
        kept = together.mask[i]
        assert torch.equal(together.index[i][kept], alone.index[0])
        torch.testing.assert_close(together.tokens[i][kept], alone.tokens[0], **CLOSE)
        torch.testing.assert_close(together.log_scores[i, :m], alone.log_scores[0], **CLOSE)
        torch.testing.assert_close(together.rho[i], alone.rho[0], **CLOSE)
        torch.testing.assert_close(together.entropy[i], alone.entropy[0], **CLOSE)
        assert (together.log_scores[i, m:] == -torch.inf).all()
        assert (together.tokens[i][~kept] == 0).all()


@pytest.mark.parametrize("time", [True, False])
def test_a_shift_in_time_matters_only_where_time_enters(selector, batch, time: bool) -> None:
    chooser = selector(time=time)
    *rest, seconds = batch(2, 20, 4)
    first, second = (chooser(*rest, seconds + shift) for shift in (0.0, 50.0))
    assert torch.equal(first.index, second.index)  # time never scores
    assert torch.equal(first.tokens, second.tokens) is not time


@pytest.mark.parametrize("time", [True, False])
def test_the_order_of_tokens_matters_only_where_time_enters(selector, batch, time: bool) -> None:
    """Tokens change places, the clock does not."""
    chooser = selector(time=time)
    tokens, mask, query, query_mask, seconds = batch(1, 20, 4)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(2))
    first, mixed = (chooser(t, mask, query, query_mask, seconds) for t in (tokens, tokens[:, order]))
    torch.testing.assert_close(mixed.log_scores, first.log_scores[:, order], **CLOSE)
    torch.testing.assert_close(mixed.rho, first.rho, **CLOSE)
    back = order[mixed.index[0]].argsort()
    assert torch.equal(order[mixed.index[0]][back], first.index[0])
    same = torch.allclose(mixed.tokens[0, back], first.tokens[0], atol=1e-5)
    assert same is not time


def test_time_that_was_not_trained_yet_adds_nothing(selector, batch) -> None:
    chooser = selector(time=True)
    torch.nn.init.zeros_(chooser.time.weight)
    *rest, seconds = batch(1, 20, 4)
    torch.testing.assert_close(chooser(*rest, seconds).tokens, chooser(*rest, seconds * 3 + 1).tokens)


def test_seconds_are_asked_for(selector, batch) -> None:
    with pytest.raises(ValueError, match="give it the tokens' seconds"):
        selector(time=True)(*batch(1, 5, 2)[:4])


@pytest.mark.parametrize(("tokens", "words"), [(1, 1), (1, 7), (9, 1)])
def test_a_single_token_and_a_single_word(selector, batch, tokens: int, words: int) -> None:
    chosen = selector(scoring=2)(*batch(2, tokens, words))
    assert chosen.tokens.isfinite().all() and chosen.rho.isfinite().all()
    if tokens == 1:
        assert torch.equal(chosen.log_scores, torch.zeros(2, 1)) and chosen.count.tolist() == [1, 1]


def test_another_question_chooses_differently(selector, batch) -> None:
    chooser, given_batch = selector(), list(batch(1, 30, 4))
    with torch.no_grad():
        before = chooser(*given_batch)
        given_batch[2] = batch(1, 30, 4, seed=5)[2]
        after = chooser(*given_batch)
    assert not torch.equal(before.index, after.index) and float(before.rho) != float(after.rho)


@pytest.mark.parametrize("empty", [1, 3])
def test_nothing_to_read(selector, batch, empty: int) -> None:
    given_batch = list(batch(2, 5, 3))
    given_batch[empty][1] = False
    with pytest.raises(ValueError, match="without tokens"):
        selector()(*given_batch)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 40), st.floats(0.01, 1.0), st.one_of(st.none(), st.integers(1, 40)), st.integers(0, 9), st.booleans()
)
def test_training_keeps_what_inference_keeps(
    selector, batch, tokens: int, rho: float, most: int | None, seed: int, learned: bool
) -> None:
    chooser, given_batch = selector(reencoding=0), batch(2, tokens, 3, seed)
    ratio = None if learned else rho
    trained, used = (
        chooser(*given_batch, rho=ratio, most=most, gate=gate, tau=0.3) for gate in ("straight_through", "hard")
    )
    assert torch.equal(trained.count, used.count) and torch.equal(trained.index, used.index)
    torch.testing.assert_close(trained.tokens, used.tokens, **CLOSE)


@pytest.mark.parametrize("rho", [1e-3, 1.0])
def test_the_gate_stays_calm_at_the_ends(selector, batch, rho: float) -> None:
    chooser = selector(reencoding=0)
    chosen = chooser(*batch(2, 30, 4), rho=rho, gate="straight_through", tau=0.1)
    assert chosen.count.tolist() == [1 if rho < 1 else 30] * 2
    chosen.weight.square().sum().backward()
    gradient = chooser.scoring_layers[0].q_proj.weight.grad
    assert gradient.isfinite().all() and 1e-6 < float(gradient.abs().max()) < 1e3


def test_dropped_tokens_that_are_shown_are_read_by_nobody(selector, batch) -> None:
    """They are there for the language model's attention to learn from; the kept ones do not change."""
    chooser, given_batch = selector(), batch(2, 30, 4)
    plain, shown = (
        chooser(*given_batch, rho=0.2, gate="straight_through", multiply=False, extra=extra) for extra in (0, 5)
    )
    assert torch.equal(shown.count, plain.count) and shown.shown.sum(1).tolist() == [11, 11]
    torch.testing.assert_close(shown.tokens[shown.mask], plain.tokens[plain.mask], **CLOSE)
    assert (shown.weight[shown.shown & ~shown.mask].abs() < 1e-6).all()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"scoring": 0}, "scoring_layers must be >= 1 and reencode_layers >= 0"),
        ({"reencoding": -1}, "scoring_layers must be >= 1 and reencode_layers >= 0"),
    ],
)
def test_a_shape_that_cannot_be(selector, changes: dict[str, int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        selector(**changes)
