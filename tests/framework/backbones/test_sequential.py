"""Selected tokens read like text, as QTSplus' published weights expect: the stock model given no position ids."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from framework.core.types import Selection, Tokens

CLOSE = {"atol": 1e-5, "rtol": 1e-5}


def some(tokens: Tokens) -> Tokens:
    """Seven of the tokens with embeddings of their own, as a re-encoder would leave them."""
    kept = tokens[torch.tensor([0, 4, 5, 11, 17, 20, 33])]
    return replace(kept, embeddings=kept.embeddings.flip(0) * 1.5)


@torch.no_grad()
def stock_logits(model, backbone, kept: Tokens, question, spoken: Tensor) -> Tensor:
    """f32 [S, V] of the stock model on the embeddings alone: it then numbers them 0, 1, 2, ... on all axes."""
    prompt, embed = backbone.chat.split(question, True), model.get_input_embeddings()
    texts = embed(backbone.before(kept, "sequential")), embed(torch.cat([prompt.after, spoken]))
    logits = model(inputs_embeds=torch.cat([texts[0], kept.embeddings, texts[1]])[None]).logits[0]
    model.model.rope_deltas = None
    return logits


@pytest.mark.parametrize("offset", ["grid", "max_id"])
def test_the_answer_is_the_stock_models_without_position_ids(
    make, stock, film, encoded, questions, offset: str
) -> None:
    backbone, question = make(answer_positions="sequential", text_offset=offset), questions[0]
    kept = some(encoded(backbone, film(6, step=1.5)))
    selection = Selection(kept, torch.zeros(len(kept), dtype=torch.long), 9, clock=torch.tensor([0.0, 7.5]))
    expected = stock_logits(stock("sdpa"), backbone, kept, question, torch.zeros(0, dtype=torch.long))[-1]
    answer = backbone.answer(selection, question)
    options = expected[backbone.chat.split(question, True).option_ids].softmax(-1)
    assert answer.probabilities == pytest.approx(options.tolist(), abs=1e-5)
    other = make(text_offset=offset).answer(selection, question)
    assert max(abs(a - b) for a, b in zip(answer.probabilities, other.probabilities, strict=True)) > 1e-4


def test_what_is_decoded_with_the_cache_is_what_is_read_without_it(make, stock, film, encoded, questions) -> None:
    backbone, question = make(answer_positions="sequential"), replace(questions[2], max_new_tokens=5)
    kept = some(encoded(backbone, film(6)))
    prefix = backbone.prefix(kept, backbone.before(kept, "sequential"), "sequential")
    with torch.no_grad():
        (reading,) = backbone._read(prefix, [backbone.chat.split(question, True)], [5], ())
    said = torch.tensor(reading.response)
    assert len(said) == 5
    expected = stock_logits(stock("sdpa"), backbone, kept, question, said[:-1])[-5:]
    torch.testing.assert_close(reading.logits, expected, atol=1e-4, rtol=1e-4)


def test_splice(make, film, encoded) -> None:
    """The visual tokens stand where the placeholder was; what is before them does not change."""
    backbone = make()
    kept = some(encoded(backbone, film(6)))
    before = backbone.before(kept, "sequential", clock=torch.tensor([0.0, 99.0]))
    prefix = backbone.prefix(kept, before, "sequential", clock=torch.tensor([0.0, 99.0]))
    assert len(prefix.embeddings) == len(before) + 7 == prefix.text_start
    with torch.no_grad():
        assert torch.equal(prefix.embeddings[: len(before)], backbone.model.get_input_embeddings()(before))
    assert torch.equal(prefix.embeddings[prefix.columns], kept.embeddings)
    assert torch.equal(prefix.positions, torch.arange(prefix.text_start).expand(3, -1))
    assert prefix.embeddings.isfinite().all()


def test_only_the_answer_is_learned(make, stock, film, encoded, questions) -> None:
    """The loss is that of a whole sequence whose labels are -100 everywhere but at the answer."""
    backbone, question = make(answer_positions="sequential"), questions[0]
    kept, answer = some(encoded(backbone, film(6))), torch.tensor([40, 7, 99])
    loss, logits = backbone.forward(kept, question, answer)
    rows = stock_logits(stock("sdpa"), backbone, kept, question, answer[:-1])
    labels = torch.full((len(rows),), -100)
    labels[-3:] = answer
    torch.testing.assert_close(logits, rows[-3:], **CLOSE)
    torch.testing.assert_close(loss, cross_entropy(rows, labels, ignore_index=-100), **CLOSE)


def test_a_prompt_without_video_is_text_alone(make) -> None:
    nothing = torch.zeros(0, dtype=torch.long)
    tokens = Tokens(torch.zeros(0, 32), nothing, nothing, nothing, nothing.double())
    assert make().prefix(tokens, torch.arange(4), "sequential").text_start == 4
