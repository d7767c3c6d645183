"""What adapters of decoder LLMs share: a visual prefix that runs once, questions that continue it, and the answers.

A family says what the prefix is (`prefix`): embeddings, position ids and the places of the visual tokens in it, which
need not be contiguous (`weave.py`). Everything after the video is text with one id per token. The language model is
called directly, with explicit ids and an all-ones mask of exact length, so nothing is ever stored on the model between
two videos.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache
from transformers.cache_utils import Cache

from framework.backbones import language_pass, operations
from framework.backbones.attended import check_layers
from framework.backbones.capture import Making, TextAttention
from framework.backbones.devices import home
from framework.backbones.positions import on_clock
from framework.backbones.tensor_parallel import gather_heads
from framework.backbones.text import ChatText, Prompt
from framework.core.backbone import Backbone
from framework.core.types import Answer, Question, Selection, Tokens
from framework.core.view import Needs, Probe
from framework.ops.certainty import certainty, entropy, probabilities


@dataclass(frozen=True)
class Prefix:
    """Holds all that stands before a question: the start of the chat and the visual tokens."""

    embeddings: Tensor  # [P, D]
    positions: Tensor  # i64 [A, P], A axes of rotary ids (1 for plain RoPE, 3 for time, row, column)
    columns: Tensor  # i64 [N], where the visual tokens are among the P
    text_start: int  # id of the first token after it; text and response count on from there
    more: Mapping[str, Any] = field(default_factory=dict)  # what else the language model needs in the prefix pass alone


@dataclass
class Reading:
    """Holds what one question revealed."""

    attention: dict[int, Tensor] = field(default_factory=dict)  # layer -> f32 [heads, L, N]
    logits: Tensor | None = None  # f32 [R, V]
    response: tuple[int, ...] = ()


class DecoderBackbone(Backbone):
    """Implements an adapter whose LLM is a stack of decoder layers.

    A family adds video, `prefix` and the constructor.
    """

    model: Any  # a transformers model with get_input_embeddings() and lm_head
    tokenizer: Any
    chat: ChatText
    decoder: Any  # the language model: embeddings -> hidden states; has config, layers
    tower: Any  # what makes visual tokens of pixels
    probe_positions: str
    answer_positions: str
    probe_tokens: int
    questions_per_pass: int
    second_per_grid: float | None = None  # of the final pass, where ids follow a clock of their own; None: real times
    end_ids: frozenset[int]  # tokens that end the model's turn
    making = Making()  # how its attention makes queries and keys
    tensor_parallel = False  # every process holds a part of the heads
    _works_on: torch.device | None = None  # where the weights belong, while they rest

    @property
    def size(self) -> tuple[int, int]:
        """Returns how many parameters the loaded model has, and their size in bytes. Shared ones count once."""
        parameters = list(self.model.parameters())
        return sum(p.numel() for p in parameters), sum(p.numel() * p.element_size() for p in parameters)

    @property
    def attention_layers(self) -> tuple[int, ...]:
        """Returns the layers whose attention can be captured; a family may have others between them."""
        return tuple(place for place, layer in enumerate(self.decoder.layers) if hasattr(layer, "self_attn"))

    @property
    def home(self) -> torch.device:
        """Returns the device on which the language model begins, also while the weights rest elsewhere."""
        return self._works_on or home(self.model.get_input_embeddings())

    def rest(self) -> None:
        """Moves the weights to the CPU. For a model on one device; nothing happens where they rest already."""
        if self._works_on is None:
            self._works_on = self.home
            self.model.to("cpu")

    def wake(self) -> None:
        """Moves the weights back to the device that they came from."""
        if self._works_on is not None:
            self.model.to(self._works_on)
            self._works_on = None

    @abstractmethod
    def prefix(self, tokens: Tokens, before: Tensor, positions: str, clock: Tensor | None = None) -> Prefix:
        """Returns the prefix of the text ids `before` (i64 [P - N] or fewer) and the N visual tokens, in order.

        `clock`: f64 [T], times of all ticks of the video that the tokens were selected from; None: they are all.
        """

    def arguments(self, prefix: Prefix, length: int) -> dict[str, Any]:
        """Returns what the language model is given beside `length` embeddings, of which `prefix` holds the first.

        It is given in the pass of the prefix and in training, and not to what continues a cached prefix.
        """
        return dict(prefix.more)

    def tick_text(self, seconds: Tensor) -> int:
        """Counts the text tokens around visual tokens that are shown at `seconds`, f64 [N]: by default none."""
        return 0

    def end_seconds(self, tokens: Tokens, positions: str, clock: Tensor | None) -> float:
        """Returns the time of the last tick that N > 0 tokens are said to come from, as their ids have it."""
        return float(tokens.seconds.max() if clock is None else clock[-1])

    def before(self, tokens: Tokens, positions: str, clock: Tensor | None = None) -> Tensor:
        """Returns the text ids before N visual tokens, i64 [P - N]; arguments as of `prefix`."""
        video = len(tokens) > 0
        return self.chat.before(video, self.end_seconds(tokens, positions, clock) if video else 0.0)

    def before_answer(self, selection: Selection) -> Tensor:
        """Returns the text ids before K kept tokens in the final pass, i64 [P - K]."""
        tokens, clock = self._timed(selection.tokens, selection.clock)
        return self.before(tokens, self.answer_positions, clock)

    @torch.no_grad()
    def probe(self, tokens: Tokens, questions: Sequence[Question], needs: Needs) -> list[Probe]:
        """Returns one probe per question over N tokens; the visual prefix runs once.

        N = 0 means the prompt without a video.
        """
        prompts = [self.chat.split(question, len(tokens) > 0) for question in questions]
        steps = [min(question.max_new_tokens, self.probe_tokens) if needs.logits else 0 for question in questions]
        if not prompts or not needs.probe:
            return [Probe(prompt.rows, prompt.option_ids) for prompt in prompts]
        positions = self.probe_positions
        prefix = self.prefix(tokens, self.before(tokens, positions), positions)
        readings = self._read(prefix, prompts, steps, needs.attention)
        return [
            Probe(prompt.rows, prompt.option_ids, reading.attention, reading.logits, reading.response)
            for prompt, reading in zip(prompts, readings, strict=True)
        ]

    @torch.no_grad()
    def query(self, question: Question) -> Tensor:
        """Returns the input embeddings of the bare question, f32 [L, D]."""
        return self._embedded(torch.tensor(self.chat.literal(question.bare)[0])).float()

    @torch.no_grad()
    def answer(self, selection: Selection, question: Question) -> Answer:
        """Returns the greedy answer from the K kept tokens.

        The choice is the likeliest option letter at the first token of the answer.
        """
        prompt = self.chat.split(question, len(selection) > 0)
        steps = [question.max_new_tokens]
        tokens, clock = self._timed(selection.tokens, selection.clock)
        before = self.before(tokens, self.answer_positions, clock)
        prefix = self.prefix(tokens, before, self.answer_positions, clock)
        (reading,) = self._read(prefix, [prompt], steps, ())
        assert reading.logits is not None
        return self._answer(reading.logits, reading.response, prompt.option_ids)

    def group_answer(self, probe: Probe, question: Question) -> Answer:
        """Returns the answer that a group's own probe (with logits) amounts to.

        Its numbers are those of `certainty`, which are read from the device once for all questions of a group.
        """
        known = certainty(probe)
        return Answer(self._text(probe.response), known.top_option, known.options, known.entropies[0])

    def lighten(self) -> bool:
        """Halves the number of questions that share a pass. Returns False when it is one already."""
        possible = self.questions_per_pass > 1
        self.questions_per_pass = max(1, self.questions_per_pass // 2)
        return possible

    def probe_flops(
        self, tokens: int, questions: Sequence[Question], needs: Needs, seconds: Tensor | None = None
    ) -> float:
        """Estimates the operations of a probe; for attention alone it ends before the last layer that is asked."""
        if not needs.probe or not questions:
            return 0.0
        steps = [min(question.max_new_tokens, self.probe_tokens) if needs.logits else 0 for question in questions]
        depth = len(self.decoder.layers) if needs.logits else max(needs.attention)
        return self._flops(tokens, questions, steps, depth, len(needs.attention), seconds)

    def answer_flops(self, tokens: int, question: Question, seconds: Tensor | None = None) -> float:
        """Estimates the operations of the final pass."""
        return self._flops(tokens, [question], [question.max_new_tokens], len(self.decoder.layers), 0, seconds)

    def _flops(
        self,
        tokens: int,
        questions: Sequence[Question],
        steps: Sequence[int],
        depth: int,
        captures: int,
        seconds: Tensor | None,
    ) -> float:
        """The prefix once through `depth` layers, then every question's text and response; `captures` layers' rows."""
        prefix = len(self.chat.before(tokens > 0, 0.0)) + tokens + (0 if seconds is None else self.tick_text(seconds))
        total = operations.layers(self.decoder, prefix, 0, depth)
        for question, step in zip(questions, steps, strict=True):
            rows = len(self.chat.split(question, tokens > 0).after)
            written = max(step - 1, 0)  # the last token that is decoded is not read
            total += operations.layers(self.decoder, rows, prefix, depth)
            total += captures * operations.captured(self.decoder, rows, prefix)
            total += sum(operations.layers(self.decoder, 1, prefix + rows + place, depth) for place in range(written))
            total += operations.head(self.model, step)
        return total

    def forward(self, tokens: Tokens, question: Question, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Returns (mean cross entropy over `labels` i64 [R], logits f32 [R, V]).

        The pass is differentiable, with positions as in `answer`.
        """
        prompt = self.chat.split(question, len(tokens) > 0)
        timed = self._timed(tokens)[0]
        prefix = self.prefix(timed, self.before(timed, self.answer_positions), self.answer_positions)
        spoken = torch.cat([prompt.after, labels[:-1].cpu()])
        embeddings = torch.cat([prefix.embeddings, self._embedded(spoken)])
        text = torch.arange(prefix.text_start, prefix.text_start + len(spoken)).expand(len(prefix.positions), -1)
        ids = torch.cat([prefix.positions, text], 1)
        hidden = self._run(embeddings[None], ids[:, None], None, **self.arguments(prefix, ids.shape[1]))
        logits = self.model.lm_head(hidden[0, -len(labels) :]).float()
        return nn.functional.cross_entropy(logits, labels.to(logits.device)), logits

    def _timed(self, tokens: Tokens, clock: Tensor | None = None) -> tuple[Tokens, Tensor | None]:
        """(tokens, times f64 [T] of all ticks) of the final pass: by the fixed clock, where there is one."""
        if self.second_per_grid is None:
            return tokens, clock
        seconds, clock = on_clock(tokens.tick, clock, self.second_per_grid)
        return replace(tokens, seconds=seconds), clock

    def _answer(self, logits: Tensor, response: tuple[int, ...], option_ids: Tensor) -> Answer:
        first = logits[0].float()
        options = first[option_ids.to(first.device)].softmax(-1)
        return Answer(
            text=self._text(response),
            choice=int(options.argmax()) if len(options) else None,
            probabilities=tuple(options.tolist()),
            entropy=float(entropy(probabilities(first))),
        )

    def _text(self, response: tuple[int, ...]) -> str:
        text: str = self.tokenizer.decode(list(response), skip_special_tokens=True)
        return text.strip()

    # One reading: the prefix once, then every question against it.

    def _read(self, prefix: Prefix, prompts: list[Prompt], steps: list[int], layers: tuple[int, ...]) -> list[Reading]:
        """What each prompt reveals: attention at `layers`, logits of up to `steps` response tokens (0: none)."""
        check_layers(layers, self.attention_layers, len(self.decoder.layers))
        readings = [Reading() for _ in prompts]
        modules = {layer: self.decoder.layers[layer].self_attn for layer in layers}
        gather = gather_heads if self.tensor_parallel else None
        capture = TextAttention(modules, prefix.columns, not any(steps), self.making, gather)
        cache = DynamicCache(config=self.decoder.config)
        with capture.of_prefix():
            more = self.arguments(prefix, len(prefix.embeddings))
            self._run(prefix.embeddings[None], prefix.positions[:, None], cache, **more)
        for batch in self._batches(prompts, steps):
            texts, at = [prompts[i].after for i in batch], [readings[i] for i in batch]
            with capture.of_texts([len(text) for text in texts], [reading.attention for reading in at]):
                self._continue(prefix, cache, texts, [steps[i] for i in batch], at)
        here = prefix.embeddings.device
        for reading in readings:  # layers and head may lie on several devices
            reading.attention = {layer: rows.to(here) for layer, rows in reading.attention.items()}
            reading.logits = None if reading.logits is None else reading.logits.to(here)
        return readings

    def _batches(self, prompts: list[Prompt], steps: list[int]) -> Iterator[list[int]]:
        """Questions that share a pass. Who writes more than one token shares it with prompts of equal length, so that
        no padding lies between a prompt and its response."""
        apart: dict[int, list[int]] = {}
        for i, prompt in enumerate(prompts):
            apart.setdefault(len(prompt.after) if steps[i] > 1 else 0, []).append(i)
        for members in apart.values():
            for start in range(0, len(members), self.questions_per_pass):
                yield members[start : start + self.questions_per_pass]

    def _continue(
        self, prefix: Prefix, past: Cache, texts: list[Tensor], steps: list[int], readings: list[Reading]
    ) -> None:
        """Run right-padded suffixes against the prefix and decode greedily. Causality keeps padding unseen."""
        lengths = torch.tensor([len(text) for text in texts])
        padded = nn.utils.rnn.pad_sequence(texts, batch_first=True)  # [B, S]
        axes, batch = len(prefix.positions), len(texts)
        ids = torch.arange(prefix.text_start, prefix.text_start + padded.shape[1]).expand(axes, batch, -1)
        cache = language_pass.continuation(self.decoder, past, batch, remember=max(steps) > 1)
        hidden = self._run(self._embedded(padded), ids, cache)
        if not any(steps):
            return
        rows = [self.model.lm_head(hidden[torch.arange(batch), lengths - 1]).float()]  # [B, V]
        said: list[Tensor] = []
        while len(rows) < max(steps):
            said.append(rows[-1].argmax(-1))
            if self._all_ended(said):
                break
            place = prefix.text_start + int(lengths[0]) + len(said) - 1
            hidden = self._run(self._embedded(said[-1])[:, None], torch.full((axes, batch, 1), place), cache)
            rows.append(self.model.lm_head(hidden[:, -1]).float())
        self._split(torch.stack(rows, 1), steps, readings)

    def _split(self, logits: Tensor, steps: list[int], readings: list[Reading]) -> None:
        """Cut each question's rows of `logits` [B, R, V] at its end of turn; the first row stays in any case."""
        for reading, rows, limit in zip(readings, logits, steps, strict=True):
            response = rows[:limit].argmax(-1).tolist()
            said = next((i for i, token in enumerate(response) if token in self.end_ids), len(response))
            reading.logits = rows[: max(said, 1)]
            reading.response = tuple(response[:said])

    def _all_ended(self, said: list[Tensor]) -> bool:
        return all(any(token in self.end_ids for token in row) for row in torch.stack(said, 1).tolist())

    def _run(self, embeddings: Tensor, positions: Tensor, cache: Cache | None, **more: Any) -> Tensor:
        """Hidden states [B, S, D] of `embeddings` [B, S, D] with ids i64 [A, B, S], after what `cache` holds."""
        return language_pass.states(self.decoder, embeddings, positions, cache, **more)

    def _embedded(self, ids: Tensor) -> Tensor:
        return self.model.get_input_embeddings()(ids.to(self.home))


def end_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    """Returns every token id that ends a turn.

    The ids are those of the checkpoint's generation settings, model and tokenizer.
    """
    named = (model.generation_config.eos_token_id, model.config.get_text_config().eos_token_id, tokenizer.eos_token_id)
    return frozenset(i for ids in named if ids is not None for i in (ids if isinstance(ids, list) else [ids]))
