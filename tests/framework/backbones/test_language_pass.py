"""Which cache continues a prefix, and that the model is as before once a pass has ended."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from framework.backbones import language_pass, prefix_attention
from framework.backbones.cache import ReadOnlyPrefix
from framework.backbones.language_pass import cache_argument, continuation
from framework.backbones.prefix_attention import Continuation
from framework.core.view import Needs

CLOSE = {"atol": 1e-4, "rtol": 1e-4}


@pytest.mark.parametrize("per_pass", [1, 16])
def test_shared_keys_change_nothing(make, film, encoded, questions, monkeypatch, per_pass: int) -> None:
    """Right-padded questions of different lengths, one and several response tokens, windows and full layers."""
    backbone = make(questions_per_pass=per_pass, probe_tokens=4)
    tokens = encoded(backbone, film(5))
    asked = [replace(q, max_new_tokens=n) for q, n in zip(questions, (1, 4, 1, 4), strict=True)]
    needs = Needs(attention=(0, 1, 3), logits=True)
    shared = backbone.probe(tokens, asked, needs)
    monkeypatch.setattr(prefix_attention, "serves", lambda *_: False)
    for one, other in zip(shared, backbone.probe(tokens, asked, needs), strict=True):
        assert one.response == other.response
        torch.testing.assert_close(one.logits, other.logits, **CLOSE)
        for layer in needs.attention:
            torch.testing.assert_close(one.attention[layer], other.attention[layer], **CLOSE)


def test_a_cache_of_what_the_kernels_allow(make, film, encoded, questions, monkeypatch) -> None:
    made = []
    real = language_pass.continuation
    monkeypatch.setattr(
        language_pass, "continuation", lambda *args, **more: (made.append(real(*args, **more)), made[-1])[1]
    )
    several = [replace(questions[0], max_new_tokens=2)]

    def kinds(**changes) -> list[type]:
        backbone = make(**changes)
        tokens = encoded(backbone, film(2))
        made.clear()
        for asked in (questions[:1], several):
            backbone.probe(tokens, asked, Needs(logits=True))
        return [type(cache) for cache in made]

    assert kinds() == [Continuation] * 2
    branched = [ReadOnlyPrefix, language_pass.Cache]
    assert kinds(attention="eager") == branched
    monkeypatch.setattr(prefix_attention, "serves", lambda *_: False)
    assert kinds() == branched


def test_the_attention_is_chosen_for_the_pass_alone(make, film, encoded, questions, monkeypatch) -> None:
    backbone = make()
    tokens, config, during = encoded(backbone, film(2)), backbone.decoder.config, []
    real = prefix_attention.join
    monkeypatch.setattr(
        prefix_attention, "join", lambda *both: (during.append(config._attn_implementation), real(*both))[1]
    )
    backbone.probe(tokens, questions, Needs(logits=True))
    assert during == [prefix_attention.NAME] * 2 and config._attn_implementation == "sdpa"  # two full layers

    def broken(*_):
        raise MemoryError("no memory")

    monkeypatch.setattr(prefix_attention, "join", broken)
    with pytest.raises(MemoryError):
        backbone.probe(tokens, questions, Needs(logits=True))
    assert config._attn_implementation == "sdpa"


def test_no_keys_are_repeated(make, film, encoded, questions, monkeypatch) -> None:
    """The kernel that sees the prefix gets its keys as they lie in the cache: one row of the batch, two heads."""
    backbone = make()
    tokens, shapes = encoded(backbone, film(6)), []
    real = prefix_attention.attend
    monkeypatch.setattr(
        prefix_attention,
        "attend",
        lambda q, k, *rest: (shapes.append((tuple(q.shape), tuple(k.shape))), real(q, k, *rest))[1],
    )
    backbone.probe(tokens, questions, Needs(logits=True))
    longest = max(len(backbone.chat.split(question, True).after) for question in questions)
    seen = len(backbone.before(tokens, "compact")) + len(tokens)
    assert shapes[::2] == [((1, 2, 2 * 4 * longest, 8), (1, 2, seen, 8))] * 2
    assert shapes[1::2] == [((4, 4, longest, 8), (4, 4, longest, 8))] * 2


def test_what_a_version_calls_the_cache() -> None:
    def old(self, inputs_embeds=None, past_key_values=None, **more) -> None:
        """Of transformers 5.23."""

    def new(self, inputs_embeds=None, cache=None, past_key_values=None, **more) -> None:
        """Of a version that warns of the old name."""

    assert cache_argument(old) == "past_key_values" and cache_argument(new) == "cache"


def test_continuation_does_not_look_at_a_model_of_other_attention(make) -> None:
    backbone = make(attention="eager")
    prefix = language_pass.Cache(layers=[])
    assert isinstance(continuation(backbone.decoder, prefix, 2, remember=False), ReadOnlyPrefix)
