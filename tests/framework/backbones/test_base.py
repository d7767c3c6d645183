"""Contracts of probing: many questions at once, captured rows, early end, greedy decoding, hooks, causality."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutputWithPooling

from framework.backbones.base import DecoderBackbone
from framework.core.types import Question
from framework.core.view import Needs

CLOSE = {"atol": 1e-5, "rtol": 1e-5}
LAYERS = (0, 1, 2, 3)  # sliding, full, sliding, full


def whole_prompt(backbone, tokens, question: Question, response: tuple[int, ...] = ()) -> tuple[Tensor, Tensor, Tensor]:
    """(embeddings [1, S, D], ids [3, 1, S], visual columns [N]) of everything up to the response."""
    prompt = backbone.chat.split(question, len(tokens) > 0)
    positions = backbone.probe_positions
    prefix = backbone.prefix(tokens, backbone.before(tokens, positions), positions)
    text = torch.cat([prompt.after, torch.tensor(response, dtype=torch.long)])
    with torch.no_grad():
        embeddings = torch.cat([prefix.embeddings, backbone.model.get_input_embeddings()(text)])
    after = prefix.text_start + torch.arange(len(text))
    ids = torch.cat([prefix.positions, after.expand(3, -1)], 1)
    return embeddings[None], ids[:, None], prefix.columns


@torch.no_grad()
def recomputed(model, embeddings: Tensor, ids: Tensor, **more) -> tuple[Tensor, tuple[Tensor, ...] | None]:
    """(last logits [V], attentions) of the stock language model without any cache."""
    mask = torch.ones(1, embeddings.shape[1])
    out = model.model.language_model(inputs_embeds=embeddings, position_ids=ids, attention_mask=mask, **more)
    return model.lm_head(out.last_hidden_state[0, -1]), out.attentions


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_captured_rows_are_eager_attention(make, stock, film, encoded, questions, attention: str) -> None:
    """Also in sliding-window layers, where what lies outside the window weighs exactly nothing."""
    backbone = make(attention=attention)
    tokens = encoded(backbone, film(4))
    probes = backbone.probe(tokens, questions, Needs(attention=LAYERS))
    for question, probe in zip(questions, probes, strict=True):
        embeddings, ids, columns = whole_prompt(backbone, tokens, question)
        _, maps = recomputed(stock("eager"), embeddings, ids, output_attentions=True)
        length = len(backbone.chat.split(question, True).after)
        for layer in LAYERS:
            expected = maps[layer][0, :, -length:][..., columns]
            assert probe.attention[layer].shape == (4, length, len(tokens))
            torch.testing.assert_close(probe.attention[layer], expected, **CLOSE)
        assert (probe.attention[0][:, 9:] == 0).all() and (probe.attention[0][:, :8].sum((0, 2)) > 0).all()


@pytest.mark.parametrize("per_pass", [1, 3, 16])
def test_many_questions_at_once_equal_one_by_one(make, film, encoded, questions, per_pass: int) -> None:
    """Of different lengths, some with one response token and some with more."""
    backbone = make(questions_per_pass=per_pass, probe_tokens=3)
    tokens = encoded(backbone, film(4))
    asked = [replace(q, max_new_tokens=n) for q, n in zip(questions, (1, 5, 1, 2), strict=True)] + [
        replace(questions[3], id="4", max_new_tokens=5)
    ]
    needs = Needs(attention=(0, 3), logits=True)
    together = backbone.probe(tokens, asked, needs)
    for question, shared in zip(asked, together, strict=True):
        (alone,) = backbone.probe(tokens, [question], needs)
        assert shared.response == alone.response
        assert len(shared.response) == min(question.max_new_tokens, 3)
        torch.testing.assert_close(shared.logits, alone.logits, **CLOSE)
        for layer in needs.attention:
            torch.testing.assert_close(shared.attention[layer], alone.attention[layer], **CLOSE)


def test_attention_is_the_same_with_and_without_logits(make, film, encoded, questions) -> None:
    backbone = make()
    tokens = encoded(backbone, film(3))
    both = backbone.probe(tokens, questions, Needs(attention=(1, 2), logits=True))
    for rows, full in zip(backbone.probe(tokens, questions, Needs(attention=(1, 2))), both, strict=True):
        assert rows.response_logits is None and rows.response == ()
        for layer in (1, 2):
            torch.testing.assert_close(rows.attention[layer], full.attention[layer], **CLOSE)


@pytest.mark.parametrize("offset", ["grid", "max_id"])
@pytest.mark.parametrize("count", [1, 2, 7, 16])
def test_decoding_is_a_full_recomputation_with_explicit_ids(
    make, stock, film, encoded, offset: str, count: int
) -> None:
    backbone = make(text_offset=offset)
    tokens = encoded(backbone, film(20))
    question = Question("x", "red or blue?", "red or blue?", max_new_tokens=count)
    (probe,) = backbone.probe(tokens, [question], Needs(logits=True))
    assert len(probe.response) == len(probe.logits) == count
    for i in range(count):
        embeddings, ids, _ = whole_prompt(backbone, tokens, question, probe.response[:i])
        expected, _ = recomputed(stock("sdpa"), embeddings, ids)
        torch.testing.assert_close(probe.logits[i], expected, atol=3e-5, rtol=1e-5)
        assert probe.response[i] == int(expected.argmax())


def test_decoding_is_what_stock_generate_does(make, stock, film, encoded, kept) -> None:
    """Forty-eight seconds: under `grid` the video's ids go further than the text's; the response follows the text."""
    backbone, model = make(), stock("sdpa")
    tokens = encoded(backbone, film(48))
    question = Question("x", "red or blue?", "red or blue?", max_new_tokens=16)
    prompt = backbone.chat.split(question, True)
    pad = model.config.video_token_id
    before = backbone.chat.before(True, 47.0)
    ids = torch.cat([before, torch.full((len(tokens),), pad), prompt.after])[None]
    features = BaseModelOutputWithPooling(pooler_output=(tokens.embeddings,))
    out = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        mm_encoder_outputs={"video": features},
        video_grid_thw=torch.tensor([[48, 4, 6]]),
        second_per_grid_ts=torch.tensor([1.0]),
        mm_token_type_ids=2 * (ids == pad).int(),
        max_new_tokens=16,
        do_sample=False,
        pad_token_id=0,
        output_logits=True,
        return_dict_in_generate=True,
    )
    model.model.rope_deltas = None
    (probe,) = backbone.probe(tokens, [question], Needs(logits=True))
    assert list(probe.response) == out.sequences[0, ids.shape[1] :].tolist()
    torch.testing.assert_close(probe.logits, torch.cat(out.logits), atol=3e-5, rtol=1e-5)
    answer = backbone.answer(kept(tokens), question)
    assert answer.text == backbone.tokenizer.decode(probe.response, skip_special_tokens=True).strip()
    assert answer.choice is None and answer.probabilities == ()


def test_a_response_ends_with_the_turn(make, film, encoded, monkeypatch) -> None:
    backbone = make()
    tokens = encoded(backbone, film(4))
    question = Question("x", "red or blue?", "red or blue?", max_new_tokens=8)
    (free,) = backbone.probe(tokens, [question], Needs(logits=True))
    new = [i for i, token in enumerate(free.response) if token not in free.response[:i]]
    stop = new[2]
    monkeypatch.setattr(backbone, "end_ids", frozenset([free.response[stop]]))
    (probe,) = backbone.probe(tokens, [question], Needs(logits=True))
    assert probe.response == free.response[:stop]
    torch.testing.assert_close(probe.logits, free.logits[:stop], **CLOSE)
    monkeypatch.setattr(backbone, "end_ids", frozenset([free.response[0]]))
    (probe,) = backbone.probe(tokens, [question], Needs(logits=True))
    assert probe.response == () and torch.allclose(probe.logits, free.logits[:1], atol=1e-5)
    assert backbone.group_answer(probe, question).text == ""


def test_end_of_turn_comes_from_every_source(make) -> None:
    backbone = make()
    assert backbone.end_ids == set(backbone.tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"]))


def test_nothing_above_the_last_asked_layer_is_run(make, film, encoded, questions) -> None:
    backbone = make()
    tokens = encoded(backbone, film(3))
    ran: list[int] = []
    handles = [
        layer.mlp.register_forward_hook(lambda *_, i=i: ran.append(i))
        for i, layer in enumerate(backbone.decoder.layers)
    ]
    try:
        backbone.probe(tokens, questions, Needs(attention=(0, 2)))
        assert ran == [0, 1, 0, 1]  # visual prefix, then all questions; layer 2 ends before its attention
        ran.clear()
        backbone.probe(tokens, questions, Needs(attention=(0,)))
        assert ran == []
        backbone.probe(tokens, questions, Needs(attention=(0,), logits=True))
        assert ran == [0, 1, 2, 3] * 2
        ran.clear()
        assert len(backbone.probe(tokens, questions, Needs(tokens=True))) == 4
        assert ran == []
    finally:
        for handle in handles:
            handle.remove()


def hooks(backbone) -> int:
    return sum(len(m._forward_pre_hooks) + len(m._forward_hooks) for m in backbone.model.modules())


def test_hooks_are_gone_after_an_exception_and_an_early_end(make, film, encoded, questions, monkeypatch) -> None:
    backbone = make()
    tokens = encoded(backbone, film(3))
    before = hooks(backbone)
    backbone.probe(tokens, questions, Needs(attention=(1,)))
    assert hooks(backbone) == before

    def broken(*_):
        raise MemoryError("no memory")

    monkeypatch.setattr(backbone.model.lm_head, "forward", broken)
    with pytest.raises(MemoryError):
        backbone.probe(tokens, questions, Needs(attention=(1,), logits=True))
    monkeypatch.setattr(backbone.decoder.layers[2].mlp, "forward", broken)
    with pytest.raises(MemoryError):
        backbone.probe(tokens, questions, Needs(attention=(1, 3)))
    assert hooks(backbone) == before
    monkeypatch.undo()
    assert backbone.probe(tokens, questions, Needs(logits=True))[0].logits.isfinite().all()


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_a_later_token_changes_no_earlier_row(make, film, encoded, attention: str) -> None:
    backbone = make(attention=attention)
    tokens = encoded(backbone, film(3))
    asked = [Question(cue, "red?", "red?", cue=cue) for cue in "xy"]
    one, other = backbone.probe(tokens, asked, Needs(attention=LAYERS, logits=True))
    for layer in LAYERS:
        torch.testing.assert_close(one.attention[layer][:, :-1], other.attention[layer][:, :-1], **CLOSE)
    assert (one.attention[3][:, -1] - other.attention[3][:, -1]).abs().max() > 1e-3


def test_the_prior_is_the_prompt_without_a_video(make, stock, film, encoded, kept, questions) -> None:
    backbone = make()
    nothing = encoded(backbone, film(1))[:0]
    probes = backbone.probe(nothing, questions, Needs(attention=(3,), logits=True))
    for question, probe in zip(questions, probes, strict=True):
        message = [{"role": "user", "content": [{"type": "text", "text": question.prompt}]}]
        whole = backbone.tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True)
        ids = torch.tensor([backbone.tokenizer(whole)["input_ids"]])
        with torch.no_grad():
            expected = stock("sdpa")(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0, -1]
        torch.testing.assert_close(probe.logits[0], expected, **CLOSE)
        assert probe.attention[3].shape[2] == 0
    answer = backbone.answer(kept(nothing), questions[0])
    assert answer.probabilities == pytest.approx(backbone.group_answer(probes[0], questions[0]).probabilities, abs=1e-6)


def test_a_layer_that_is_not_there_is_refused(make, film, encoded, questions) -> None:
    with pytest.raises(ValueError, match=r"layers \(1, 4\), but this model has layers 0..3"):
        make().probe(encoded(make(), film(1)), questions, Needs(attention=(1, 4)))


def test_no_questions_no_probes(make, film, encoded) -> None:
    assert make().probe(encoded(make(), film(1)), [], Needs(logits=True)) == []


@pytest.mark.parametrize(("axes", "shape"), [(1, (2, 5)), (3, (3, 2, 5))])
def test_ids_of_one_axis_are_handed_over_without_it(axes: int, shape: tuple[int, ...]) -> None:
    """Text models take [B, S]; to those with three axes a tensor of two dimensions would mean text."""
    given = {}

    class Decoder:
        def __call__(self, **arguments):
            given.update(arguments)
            return SimpleNamespace(last_hidden_state=arguments["inputs_embeds"])

        def forward(self, past_key_values=None): ...

    adapter = SimpleNamespace(decoder=Decoder())
    ids = torch.arange(5).expand(axes, 2, -1)
    DecoderBackbone._run(adapter, torch.zeros(2, 5, 4), ids, None, more="handed over")
    assert given["position_ids"].shape == shape and given["more"] == "handed over"
    assert given["attention_mask"].tolist() == [[1] * 5] * 2  # so that gaps in the ids are no packed texts
