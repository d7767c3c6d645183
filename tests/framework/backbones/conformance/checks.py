"""What every family must keep to. Each check takes a family and returns the largest difference that it found.

The stock model is asked as its own processor would ask it. Nothing of an adapter is used to make what is expected, but
for the tokenizer and the sizes of the grid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from framework.core.types import Frames, Question, Tokens
from framework.core.view import Needs
from tests.framework.backbones.conformance.family import QUESTIONS, Family, Stock, selected

TICKS = 8
LOGITS = Needs(logits=True)


def gap(one: Tensor, other: Tensor) -> float:
    """Returns the largest difference of two tensors of one shape."""
    assert one.shape == other.shape, f"{list(one.shape)} and {list(other.shape)}"
    return float((one.float() - other.float()).abs().max()) if one.numel() else 0.0


@torch.no_grad()
def stock_logits(family: Family, asked: Stock, **more: Any) -> Any:
    """Returns the output of the stock model, which is left without memory of it."""
    model = family.stock(more.pop("attention", "sdpa"))
    found = model(**asked.inputs, **more)
    if hasattr(model.model, "rope_deltas"):
        model.model.rope_deltas = None
    return found


def prompt(family: Family) -> float:
    """Text, places of visual tokens and ids of the whole prompt."""
    frames, backbone = family.film(TICKS), family.adapter
    tokens = family.encoded(frames)
    worst = 0.0
    for question in QUESTIONS:
        asked = family.asked(frames, question)
        prefix = backbone.prefix(tokens, backbone.before(tokens, "compact"), "compact")
        after = backbone.chat.split(question, True).after
        with torch.no_grad():
            text = family.embedded(family.stock(), asked)
            ours = torch.cat([prefix.embeddings, backbone.model.get_input_embeddings()(after)])
        assert torch.equal(asked.visual.nonzero()[:, 0], prefix.columns)
        worst = max(worst, gap(ours[~asked.visual], text[~asked.visual]))
        following = (prefix.text_start + torch.arange(len(after))).expand(len(prefix.positions), -1)
        ids = torch.cat([prefix.positions, following], 1)
        assert torch.equal(ids, family.positions(family.stock(), asked)), "position ids"
    return worst


def features(family: Family) -> float:
    """Tokens of the tower and what goes with them, as a share of the largest number."""
    frames = family.film(TICKS)
    embeddings, extra = family.features(family.stock(), frames)
    tokens = family.encoded(frames)
    assert {*extra} <= {*tokens.extra}
    pairs = [(tokens.embeddings, embeddings), *((tokens.extra[name], extra[name]) for name in extra)]
    return max(gap(one, other) / max(1.0, float(other.abs().max())) for one, other in pairs)


def keep_all(family: Family, ticks: int = TICKS) -> float:
    """Prefix and continuation, against the stock forward of the whole."""
    frames = family.film(ticks)
    probes = family.adapter.probe(family.encoded(frames), QUESTIONS, LOGITS)
    expected = [stock_logits(family, family.asked(frames, question)).logits[0, -1] for question in QUESTIONS]
    return max(gap(probe.logits[0], one) for probe, one in zip(probes, expected, strict=True))


def rows(family: Family) -> float:
    """Captured attention, against the maps of plain attention at every layer that has any."""
    frames, backbone = family.film(TICKS), family.adapter
    layers = backbone.attention_layers
    probes = backbone.probe(family.encoded(frames), QUESTIONS, Needs(attention=layers))
    worst = 0.0
    for question, probe in zip(QUESTIONS, probes, strict=True):
        asked = family.asked(frames, question)
        maps = stock_logits(family, asked, attention="eager", output_attentions=True).attentions
        maps = [one for one in maps if one is not None]
        assert len(maps) == len(layers)
        length = len(backbone.chat.split(question, True).after)
        for layer, whole in zip(layers, maps, strict=True):
            worst = max(worst, gap(probe.attention[layer], whole[0, :, -length:][..., asked.visual]))
    return worst


def greedy(family: Family) -> float:
    """Five response tokens, against the stock model's own `generate`."""
    frames = family.film(TICKS)
    question = replace(QUESTIONS[2], max_new_tokens=5)
    asked, model = family.asked(frames, question), family.stock()
    found = model.generate(
        **asked.inputs,
        max_new_tokens=5,
        do_sample=False,
        pad_token_id=0,
        output_logits=True,
        return_dict_in_generate=True,
    )
    if hasattr(model.model, "rope_deltas"):
        model.model.rope_deltas = None
    (probe,) = family.adapter.probe(family.encoded(frames), [question], LOGITS)
    said = [*probe.response]
    assert said == found.sequences[0, asked.ids.shape[1] :].tolist()[: len(said)] and said
    return gap(probe.logits, torch.cat(found.logits)[: len(probe.logits)])


def many(family: Family) -> float:
    """Questions of different lengths and limits at once, against one by one, in another order, and once more."""
    backbone, tokens = family.adapter, family.encoded(family.film(TICKS))
    asked = [replace(q, max_new_tokens=n) for q, n in zip(QUESTIONS, (1, 3, 3), strict=True)]
    asked.append(replace(asked[1], id="again"))
    needs = Needs(attention=backbone.attention_layers[-1:], logits=True)
    together = backbone.probe(tokens, asked, needs)
    alone = [backbone.probe(tokens, [question], needs)[0] for question in asked]
    turned = backbone.probe(tokens, asked[::-1], needs)[::-1]
    worst = 0.0
    for other in (alone, turned):
        for one, two in zip(together, other, strict=True):
            assert one.response == two.response
            worst = max(worst, gap(one.logits, two.logits))
            worst = max(worst, *(gap(one.attention[layer], two.attention[layer]) for layer in needs.attention))
    return worst


def group(family: Family) -> float:
    """Some ticks of a long film, against the stock model on a film of these alone."""
    film, ticks = family.film(11), torch.tensor([1, 4, 9])
    frames = Frames(film.pixels[ticks], film.seconds[ticks])
    (probe,) = family.adapter.probe(family.encoded(frames, ticks), QUESTIONS[:1], LOGITS)
    return gap(probe.logits[0], stock_logits(family, family.asked(frames, QUESTIONS[0])).logits[0, -1])


KEPT = {  # ticks -> places in the tick: the first and the last tick, or some in the middle, are left without a token
    "middle": {0: (0, 4), 1: (5,), 5: (1, 2, 3), 7: (0,)},
    "ends": {2: (3,), 3: (0, 1, 2, 3, 4, 5), 6: (2, 5)},
}


def dropped(family: Family) -> float:
    """The answer from few tokens at their places, against the stock language model on what is left of the prompt."""
    return max(_dropped(family, kept) for kept in KEPT.values())


@torch.no_grad()
def _dropped(family: Family, kept: dict[int, tuple[int, ...]]) -> float:
    frames, question, backbone = family.film(TICKS), QUESTIONS[0], family.adapter
    tokens, asked, model = family.encoded(frames), family.asked(frames, question), family.stock()
    keep = torch.zeros(TICKS, family.cells(), dtype=torch.bool)
    for tick, places in kept.items():
        keep[tick, [place % family.cells() for place in places]] = True
    stay = family.stays(asked, keep)
    embeddings = family.embedded(model, asked)[None]
    made, extra = family.features(model, frames)
    embeddings[0, asked.visual] = made
    few = {name: value[keep.flatten()] for name, value in extra.items()}
    ids = family.positions(model, asked)[:, None, stay]
    hidden = model.model.language_model(
        inputs_embeds=embeddings[:, stay],
        position_ids=ids if len(ids) > 1 else ids[0],
        attention_mask=torch.ones(1, int(stay.sum()), dtype=torch.long),
        **family.language(asked.visual[stay], few),
    ).last_hidden_state
    found = backbone.answer(selected(tokens[keep.flatten()], frames.seconds), question)
    logs = model.lm_head(hidden[0, -1]).log_softmax(-1)
    options = logs[backbone.chat.split(question, True).option_ids].log_softmax(-1)
    assert found.entropy is not None
    entropy = abs(found.entropy + float((logs.exp() * logs).sum()))
    return max(gap(torch.tensor(found.probabilities).log(), options), entropy)


def early(family: Family) -> float:
    """Attention of a pass that ends at the last asked layer, against that of a whole pass."""
    backbone, tokens = family.adapter, family.encoded(family.film(TICKS))
    layers = backbone.attention_layers[:-1]
    short = backbone.probe(tokens, QUESTIONS, Needs(attention=layers))
    whole = backbone.probe(tokens, QUESTIONS, Needs(attention=layers, logits=True))
    return max(
        gap(a.attention[layer], b.attention[layer]) for a, b in zip(short, whole, strict=True) for layer in layers
    )


def pieces(family: Family) -> float:
    """Ticks encoded alone and ticks dropped before the tower, against all at once."""
    frames = family.film(TICKS)
    whole, worst = family.encoded(frames), 0.0
    ticks = torch.tensor([0, 2, 5])
    part = family.encoded(Frames(frames.pixels[ticks], frames.seconds[ticks]), ticks)
    chosen = torch.isin(whole.tick, ticks)
    for found in (part, family.encoded(frames, keep=chosen)):
        worst = max(worst, _tokens_gap(found, whole[chosen]))
    return worst


def _tokens_gap(one: Tokens, other: Tokens) -> float:
    for name in ("tick", "row", "column", "seconds"):
        assert torch.equal(getattr(one, name), getattr(other, name)), name
    assert {*one.extra} == {*other.extra}
    extra = [gap(one.extra[name], other.extra[name]) for name in one.extra]
    return max([gap(one.embeddings, other.embeddings), *extra])


def training(family: Family) -> float:
    """The pass of training, against the probe; every token gets a gradient."""
    backbone, tokens = family.adapter, family.encoded(family.film(3))
    (probe,) = backbone.probe(tokens, QUESTIONS[1:2], LOGITS)
    embeddings = tokens.embeddings.clone().requires_grad_()
    loss, logits = backbone.forward(replace(tokens, embeddings=embeddings), QUESTIONS[1], torch.tensor([40, 7, 99]))
    loss.backward()
    assert (embeddings.grad.abs().sum(1) > 0).all()
    backbone.model.zero_grad()
    return gap(logits[0].detach(), probe.logits[0])


def prior(family: Family) -> float:
    """A question without a video."""
    nothing = family.encoded(family.film(1))[:0]
    worst = 0.0
    for question, probe in zip(QUESTIONS, family.adapter.probe(nothing, QUESTIONS, LOGITS), strict=True):
        message = [{"role": "user", "content": [{"type": "text", "text": question.prompt}]}]
        more = getattr(family.adapter.chat, "template", {})
        whole = family.tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True, **more)
        ids = torch.tensor([family.read(whole)])
        with torch.no_grad():
            expected = family.stock()(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0, -1]
        worst = max(worst, gap(probe.logits[0], expected))
    return worst


def memory(family: Family) -> float:
    """The same video and questions before and after others: bit by bit, with no hook and nothing on the model."""
    backbone = family.adapter
    first, second = family.encoded(family.film(3, 1)), family.encoded(family.film(5, 2))
    needs = Needs(attention=backbone.attention_layers, logits=True)
    hooks = sum(len(m._forward_pre_hooks) + len(m._forward_hooks) for m in backbone.model.modules())

    def look(tokens: Tokens, questions: list[Question]) -> list[Tensor]:
        probes = backbone.probe(tokens, questions, needs)
        return [one for probe in probes for one in (probe.logits, *probe.attention.values())]

    before = look(first, QUESTIONS)
    look(second, QUESTIONS[::-1])
    backbone.answer(selected(second, family.film(5).seconds), replace(QUESTIONS[2], max_new_tokens=4))
    backbone.probe(second, QUESTIONS, Needs(attention=backbone.attention_layers[:1]))
    assert sum(len(m._forward_pre_hooks) + len(m._forward_hooks) for m in backbone.model.modules()) == hooks
    assert getattr(backbone.model.model, "rope_deltas", None) is None
    return max(gap(a, b) for a, b in zip(before, look(first, QUESTIONS), strict=True))


CHECKS: dict[str, Callable[[Family], float]] = {
    one.__name__: one
    for one in (
        *(prompt, features, keep_all, rows, greedy, many, group),
        *(dropped, early, pieces, training, prior, memory),
    )
}
EXACT = ("prompt", "memory")  # bit by bit
