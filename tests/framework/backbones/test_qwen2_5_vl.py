"""Contracts of the adapter against the untouched model: encoding, positions, keep-all, selections, training."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from framework.backbones import grid
from framework.core.types import Candidates, Frames, Group, Question, Relevance, ScoredGroup, Selection, Tokens
from framework.core.view import GroupView, Needs
from framework.video.resize import target_size
from strategies.allocators.learned_ratio import LearnedRatio
from strategies.refiners.none import Unrefined
from strategies.scorers.qtsplus import QTSplus

HEIGHT, WIDTH, ROWS, COLUMNS = 56, 84, 2, 3
MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
CLOSE = {"atol": 1e-5, "rtol": 1e-5}


def stock_pixels(frames: Frames) -> Tensor:
    """Patches [T * 4 * 6, 3 * 2 * 14 * 14] in the order of the stock processor, by plain loops."""
    pixels = (frames.pixels.numpy() / 255 - np.array(MEAN)[:, None, None]) / np.array(STD)[:, None, None]
    found = []
    for tick in pixels:
        for row in range(ROWS):
            for column in range(COLUMNS):
                for y in (2 * row, 2 * row + 1):
                    for x in (2 * column, 2 * column + 1):
                        cell = tick[:, :, 14 * y : 14 * y + 14, 14 * x : 14 * x + 14]
                        found.append(cell.transpose(1, 0, 2, 3).ravel())
    return torch.from_numpy(np.stack(found)).float()


def stock_inputs(backbone, frames: Frames, question: Question, step: float) -> dict[str, Tensor]:
    prompt = backbone.chat.split(question, True)
    pads = len(frames.pixels) * ROWS * COLUMNS
    before = backbone.chat.before(True, 0.0)
    ids = torch.cat([before, torch.full((pads,), backbone.model.config.video_token_id), prompt.after])[None]
    return inputs_of(backbone, frames, ids, step)


def inputs_of(backbone, frames: Frames, ids: Tensor, step: float) -> dict[str, Tensor]:
    """What the stock model is called with, for ids [1, S]."""
    return {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "pixel_values_videos": stock_pixels(frames),
        "video_grid_thw": torch.tensor([[len(frames.pixels), 2 * ROWS, 2 * COLUMNS]]),
        "second_per_grid_ts": torch.tensor([step]),
        "mm_token_type_ids": 2 * (ids == backbone.model.config.video_token_id).int(),
    }


def our_ids(inputs: dict[str, Tensor], step: float) -> Tensor:
    """Position ids [3, 1, S] under `max_id`, token by token."""
    kind = inputs["mm_token_type_ids"][0].tolist()
    start, pads = kind.index(2), kind.count(2)
    ids = [[i] * 3 for i in range(start)]
    for i in range(pads):
        tick, cell = divmod(i, ROWS * COLUMNS)
        ids.append([start + int(2 * step * tick), start + cell // COLUMNS, start + cell % COLUMNS])
    after = max(map(max, ids)) + 1
    ids += [[after + i] * 3 for i in range(len(kind) - start - pads)]
    return torch.tensor(ids).T[:, None]


@torch.no_grad()
def stock_logits(model, inputs: dict[str, Tensor], **more: Tensor) -> Tensor:
    """f32 [V] at the last position; the model is left without memory of it."""
    logits = model(**inputs, **more).logits[0, -1]
    model.model.rope_deltas = None
    return logits


@pytest.mark.parametrize("step", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("offset", ["grid", "max_id"])
def test_keeping_all_tokens_is_the_stock_model(
    make, stock, film, encoded, kept, questions, offset: str, step: float
) -> None:
    backbone = make(text_offset=offset, probe_positions="original")
    frames = film(5, step=step)
    tokens = encoded(backbone, frames)
    probes = backbone.probe(tokens, questions, Needs(logits=True))
    for question, probe in zip(questions, probes, strict=True):
        inputs = stock_inputs(backbone, frames, question, step)
        explicit = {} if offset == "grid" else {"position_ids": our_ids(inputs, step)}
        expected = stock_logits(stock("sdpa"), inputs, **explicit)
        torch.testing.assert_close(probe.logits[0], expected, **CLOSE)
        answer = backbone.answer(kept(tokens), question)
        logs = expected.log_softmax(-1)
        assert answer.entropy == pytest.approx(-float((logs.exp() * logs).sum()), abs=1e-5)
        options = expected[probe.option_ids].softmax(-1)
        assert answer.probabilities == pytest.approx(options.tolist(), abs=1e-5)
        assert answer.choice == (int(options.argmax()) if question.options else None)
        assert backbone.group_answer(probe, question).probabilities == pytest.approx(answer.probabilities, abs=1e-5)


@pytest.mark.parametrize("offset", ["grid", "max_id"])
def test_a_selector_that_keeps_all_tokens_is_the_stock_model(
    make, stock, film, encoded, questions, offset: str
) -> None:
    """QTSplus at a ratio of one, without re-encoding, tokens where they were."""
    backbone, question, frames = make(text_offset=offset), questions[0], film(5, step=0.5)
    tokens = encoded(backbone, frames)
    group, grid = Group(0, torch.arange(5)), backbone.layout(torch.arange(5), HEIGHT, WIDTH)
    view = GroupView(group, question, grid, frames.seconds, shown_tokens=tokens, shown_query=backbone.query(question))
    scores = QTSplus("random:0", "paper", 1.0).score(view)
    scored = ScoredGroup(group, scores.values, Relevance(0.0, 0.0, "none"), scores.signals)
    assert LearnedRatio(None).allocate([scored], question, 99) == [30]
    places = torch.arange(30)
    candidates = Candidates(tokens, places * 0, scores.values, torch.ones(30), stride_seconds=0.5)
    answer = backbone.answer(Unrefined().refine(candidates, question, 30), question)
    inputs = stock_inputs(backbone, frames, question, 0.5)
    explicit = {} if offset == "grid" else {"position_ids": our_ids(inputs, 0.5)}
    logs = stock_logits(stock("sdpa"), inputs, **explicit).log_softmax(-1)
    options = logs[backbone.chat.split(question, True).option_ids].softmax(-1)
    assert answer.probabilities == pytest.approx(options.tolist(), abs=1e-5)
    assert answer.entropy == pytest.approx(-float((logs.exp() * logs).sum()), abs=1e-5)


def test_the_two_text_offsets_differ(make, film, encoded, questions) -> None:
    """Six ticks reach time id 10, the grid only 3: were the rules the same, the equalities above would mean little."""
    tokens = encoded(make(), film(6))
    grid, max_id = (
        make(text_offset=offset).probe(tokens, questions[:1], Needs(logits=True))[0] for offset in ("grid", "max_id")
    )
    assert (grid.logits - max_id.logits).abs().max() > 1e-2


def test_a_group_is_the_stock_model_on_its_frames_alone(make, stock, film, encoded, questions) -> None:
    """Ticks 1, 4 and 7 of a longer video; compact positions make them a short video of one second per tick."""
    backbone = make()
    film8 = film(8, step=4.0)
    ticks = torch.tensor([1, 4, 7])
    group = Frames(film8.pixels[ticks], film8.seconds[ticks])
    tokens = backbone.encode(group, backbone.layout(ticks, HEIGHT, WIDTH))
    assert tokens.tick.unique().tolist() == [1, 4, 7]
    (probe,) = backbone.probe(tokens, questions[:1], Needs(logits=True))
    expected = stock_logits(stock("sdpa"), stock_inputs(backbone, group, questions[0], 1.0))
    torch.testing.assert_close(probe.logits[0], expected, **CLOSE)


def test_encoding_in_groups_is_encoding_at_once(make, film, encoded) -> None:
    backbone, frames = make(), film(6)
    whole = encoded(backbone, frames)
    for ticks in (torch.tensor([0, 2, 5]), torch.tensor([3])):
        part = backbone.encode(
            Frames(frames.pixels[ticks], frames.seconds[ticks]), backbone.layout(ticks, HEIGHT, WIDTH)
        )
        same = whole[torch.isin(whole.tick, ticks)]
        torch.testing.assert_close(part.embeddings, same.embeddings, **CLOSE)
        for name in ("tick", "row", "column", "seconds"):
            assert torch.equal(getattr(part, name), getattr(same, name))


def test_encoding_in_several_passes_of_the_tower_is_exact(make, film, encoded, monkeypatch) -> None:
    backbone, frames = make(), film(5)
    whole = encoded(backbone, frames)
    monkeypatch.setattr(grid, "PATCHES_PER_PASS", 2 * 24)  # two ticks
    torch.testing.assert_close(encoded(backbone, frames).embeddings, whole.embeddings, **CLOSE)


def test_a_layout_of_other_frames_is_refused(make, film) -> None:
    with pytest.raises(ValueError, match="the layout has 6 tokens, the frames make 2 x 2 x 3"):
        make().encode(film(2), make().layout(torch.arange(1), HEIGHT, WIDTH))


def test_layout_goes_tick_by_tick_and_row_by_row(make) -> None:
    layout = make().layout(torch.tensor([3, 9]), HEIGHT, WIDTH)
    assert layout.tick.tolist() == [3] * 6 + [9] * 6
    assert layout.row.tolist() == [0, 0, 0, 1, 1, 1] * 2
    assert layout.column.tolist() == [0, 1, 2] * 4
    assert layout.cell_pixels == (28, 28)


def test_frame_size_is_a_grid_of_cells(make) -> None:
    height, width = make().frame_size(1080, 1920)
    assert height % 28 == 0 and width % 28 == 0 and height * width <= 50176


def subset_logits(model, inputs: dict[str, Tensor], ids: Tensor, tokens: Tokens, keep: Tensor) -> Tensor:
    """The stock language model on the kept columns only, with the ids [3, 1, S] that they have in the whole prompt."""
    at = inputs["mm_token_type_ids"][0] == 2
    stay = torch.ones(len(at), dtype=torch.bool)
    stay[at.nonzero()[:, 0][~keep]] = False
    with torch.no_grad():
        embeds = model.get_input_embeddings()(inputs["input_ids"])
        embeds[0, at] = tokens.embeddings
        hidden = model.model.language_model(
            inputs_embeds=embeds[:, stay], position_ids=ids[:, :, stay], attention_mask=torch.ones(1, int(stay.sum()))
        ).last_hidden_state
        return model.lm_head(hidden[0, -1])


@pytest.mark.parametrize("offset", ["grid", "max_id"])
def test_kept_tokens_keep_the_ids_of_the_whole_prompt(make, stock, film, encoded, questions, offset: str) -> None:
    backbone, frames, question = make(text_offset=offset), film(6, step=1.5), questions[0]
    tokens = encoded(backbone, frames)
    keep = torch.zeros(36, dtype=torch.bool)
    keep[[0, 4, 17, 33]] = True  # the last tick is among them, so `max_id` sees the same end
    inputs = stock_inputs(backbone, frames, question, 1.5)
    if offset == "grid":
        names = ("input_ids", "mm_token_type_ids", "video_grid_thw", "second_per_grid_ts")
        ids, _ = stock("sdpa").model.get_rope_index(**{name: inputs[name] for name in names})
    else:
        ids = our_ids(inputs, 1.5)
    expected = subset_logits(stock("sdpa"), inputs, ids, tokens, keep)[backbone.chat.split(question, True).option_ids]
    answer = backbone.answer(Selection(tokens[keep], torch.zeros(4, dtype=torch.long), 4), question)
    assert answer.probabilities == pytest.approx(expected.softmax(-1).tolist(), abs=1e-5)


def test_a_fixed_clock_gives_the_ids_of_two_seconds_a_tick(make, stock, film, encoded, questions) -> None:
    """The film has half a second a tick and ends at tick 7, of which nothing is kept: FlexSelect's final pass."""
    backbone, question = make(text_offset="max_id", second_per_grid=2.0), questions[0]
    frames = film(8, step=0.5)
    tokens = encoded(backbone, frames)
    keep = torch.zeros(48, dtype=torch.bool)
    keep[[0, 4, 17, 33]] = True
    inputs = stock_inputs(backbone, frames, question, 2.0)
    options = backbone.chat.split(question, True).option_ids
    expected = subset_logits(stock("sdpa"), inputs, our_ids(inputs, 2.0), tokens, keep)[options].softmax(-1).tolist()
    few = Selection(tokens[keep], torch.zeros(4, dtype=torch.long), 4, clock=frames.seconds)
    assert backbone.answer(few, question).probabilities == pytest.approx(expected, abs=1e-5)
    real = make(text_offset="max_id").answer(few, question).probabilities
    assert max(abs(a - b) for a, b in zip(real, expected, strict=True)) > 1e-4


@pytest.mark.parametrize(
    ("frames", "most"),
    [(1, 50176), (4, 50176), (8, 25088), (16, 12544), (1000, 823)],  # 823 = 1.05 x min_pixels
)
def test_more_frames_are_smaller_frames(make, frames: int, most: int) -> None:
    """100,352 pixels for all frames, two of which are one tick: 100,352 x 2 / frames, within 823..50,176."""
    backbone = make(total_pixels=100352)
    assert backbone.video_frame_size(1080, 1920, frames) == target_size(1080, 1920, 28, min(784, most), most)
    assert make().video_frame_size(1080, 1920, frames) == make().frame_size(1080, 1920)


def test_compact_selection_is_a_short_video(make, stock, film, encoded, kept, questions) -> None:
    backbone, question = make(answer_positions="compact"), questions[0]
    frames = film(6, step=7.0)
    tokens = encoded(backbone, frames)
    ticks = torch.tensor([1, 2, 5])
    answer = backbone.answer(kept(tokens[torch.isin(tokens.tick, ticks)]), question)
    inputs = stock_inputs(backbone, Frames(frames.pixels[ticks], frames.seconds[ticks]), question, 1.0)
    expected = stock_logits(stock("sdpa"), inputs)[backbone.chat.split(question, True).option_ids]
    assert answer.probabilities == pytest.approx(expected.softmax(-1).tolist(), abs=1e-5)


def test_under_max_id_text_follows_the_video_that_tokens_were_selected_from(make, film, encoded) -> None:
    backbone = make(text_offset="max_id")
    tokens = encoded(backbone, film(6))
    before = torch.arange(4)
    assert backbone.prefix(tokens, before, "original").text_start == 4 + 10 + 1
    few = tokens[tokens.tick < 3]
    assert backbone.prefix(few, before, "original", clock=torch.arange(6.0)).text_start == 4 + 10 + 1
    assert backbone.prefix(few, before, "original").text_start == 4 + 4 + 1  # they are all there is
    assert backbone.prefix(few, before, "compact", clock=torch.arange(6.0)).text_start == 4 + 4 + 1
    first = backbone.prefix(tokens[tokens.tick < 1][:1], before, "original")
    assert first.text_start == 4 + 2 + 1  # the grid counts in full


@pytest.mark.parametrize("offset", ["grid", "max_id"])
def test_the_end_of_the_video_is_told_before_it(make, stock, film, encoded, questions, offset: str) -> None:
    """The stock model on the chat template's own rendering of a text, the video and the question."""
    backbone = make(text_offset=offset, probe_positions="original", told="It ends at {seconds:.1f} s. ")
    frames, question = film(6, step=1.5), questions[0]  # the last tick is shown at 7.5 s
    tokens = encoded(backbone, frames)
    parts = [
        {"type": "text", "text": "It ends at 7.5 s. "},
        {"type": "video"},
        {"type": "text", "text": question.prompt},
    ]
    whole = backbone.tokenizer.apply_chat_template(
        [{"role": "user", "content": parts}], tokenize=False, add_generation_prompt=True
    )
    ids = torch.tensor([backbone.tokenizer(whole.replace("<|video_pad|>", "<|video_pad|>" * 36))["input_ids"]])
    inputs = inputs_of(backbone, frames, ids, 1.5)
    explicit = {} if offset == "grid" else {"position_ids": our_ids(inputs, 1.5)}
    expected = stock_logits(stock("sdpa"), inputs, **explicit)
    (probe,) = backbone.probe(tokens, [question], Needs(logits=True))
    torch.testing.assert_close(probe.logits[0], expected, **CLOSE)
    loss, logits = backbone.forward(tokens, question, torch.tensor([40]))
    torch.testing.assert_close(logits[0], expected, **CLOSE)
    torch.testing.assert_close(loss, -expected.log_softmax(-1)[40], **CLOSE)
    keep = torch.zeros(36, dtype=torch.bool)
    keep[[0, 4, 17]] = True  # three ticks, the last at 3 s; the video still ends at 7.5 s
    few = Selection(tokens[keep], torch.zeros(3, dtype=torch.long), 3, clock=frames.seconds)
    places = our_ids(inputs, 1.5)
    if offset == "grid":
        names = ("input_ids", "mm_token_type_ids", "video_grid_thw", "second_per_grid_ts")
        places, _ = stock("sdpa").model.get_rope_index(**{name: inputs[name] for name in names})
    options = backbone.chat.split(question, True).option_ids
    expected = subset_logits(stock("sdpa"), inputs, places, tokens, keep)[options].softmax(-1)
    assert backbone.answer(few, question).probabilities == pytest.approx(expected.tolist(), abs=1e-5)
    untold = make(text_offset=offset).answer(few, question).probabilities
    assert max(abs(a - b) for a, b in zip(untold, expected.tolist(), strict=True)) > 1e-4


def test_which_end_is_told(make, film, encoded) -> None:
    """That of the whole video where it is known; of a compact group that of a short video; by a fixed clock its own."""
    changes = {"text_offset": "max_id", "told": "{seconds:.2f} s"}
    backbone, clocked = make(**changes), make(**changes, second_per_grid=2.0)
    frames = film(8, step=4.0)
    tokens, clock = encoded(backbone, frames), frames.seconds
    few = tokens[torch.isin(tokens.tick, torch.tensor([1, 4, 6]))]

    def read(ids: Tensor) -> str:
        return backbone.tokenizer.decode(ids).partition("user\n")[2]

    for positions in ("original", "sequential"):
        assert read(backbone.before(few, positions)) == "24.00 s<|vision_start|>"  # they are all there is
        assert read(backbone.before(few, positions, clock)) == "28.00 s<|vision_start|>"
    for end in (None, clock):  # three ticks, an id each second: 0, 1, 2
        assert read(backbone.before(few, "compact", end)) == "2.00 s<|vision_start|>"
    assert read(make(**changes, compact_step=3).before(few, "compact")) == "3.00 s<|vision_start|>"  # ids 0, 3, 6
    assert read(backbone.before(few[:0], "original")) == ""
    selection = Selection(few, torch.zeros(len(few), dtype=torch.long), len(few), clock=clock)
    assert read(backbone.before_answer(selection)) == "28.00 s<|vision_start|>"
    assert read(clocked.before_answer(selection)) == "14.00 s<|vision_start|>"


def test_nothing_is_left_for_the_next_video(make, film, encoded, kept, questions) -> None:
    backbone = make()
    first, second = encoded(backbone, film(3, seed=1)), encoded(backbone, film(5, seed=2))
    needs = Needs(attention=(0, 3), logits=True)

    def look(tokens: Tokens) -> list:
        probes = backbone.probe(tokens, questions, needs)
        return [(p.logits, *p.attention.values(), backbone.answer(kept(tokens), questions[0]).entropy) for p in probes]

    before = look(first)
    look(second)
    for once, again in zip(before, look(first), strict=True):
        assert all(torch.equal(torch.as_tensor(a), torch.as_tensor(b)) for a, b in zip(once, again, strict=True))
    assert backbone.model.model.rope_deltas is None


def test_training_pass_has_gradients_and_the_answers_logits(make, film, encoded, questions) -> None:
    backbone = make(probe_positions="original")
    tokens, question = encoded(backbone, film(3)), questions[1]
    (probe,) = backbone.probe(tokens, [question], Needs(logits=True))
    embeddings = tokens.embeddings.clone().requires_grad_()
    learned = Tokens(embeddings, tokens.tick, tokens.row, tokens.column, tokens.seconds, tokens.extra)
    labels = torch.tensor([40, 7, 99])
    loss, logits = backbone.forward(learned, question, labels)
    torch.testing.assert_close(logits[0], probe.logits[0], **CLOSE)
    assert logits.shape == (3, backbone.decoder.config.vocab_size)
    torch.testing.assert_close(loss, cross_entropy(logits, labels))
    loss.backward()
    assert (embeddings.grad.abs().sum(1) > 0).all()
    backbone.model.zero_grad()


def test_forward_gives_what_decoding_gives(make, film, encoded) -> None:
    """Teacher-forced on its own response, the training pass sees the logits of the probe, row by row."""
    backbone = make(probe_positions="original", probe_tokens=4)
    tokens = encoded(backbone, film(3))
    question = Question("x", "red?", "red?", max_new_tokens=4)
    (probe,) = backbone.probe(tokens, [question], Needs(logits=True))
    assert len(probe.response) == 4
    _, logits = backbone.forward(tokens, question, torch.tensor(probe.response))
    torch.testing.assert_close(logits, probe.logits, **CLOSE)


def test_query_is_the_embedding_of_the_bare_question(make, questions) -> None:
    backbone = make()
    ids = backbone.tokenizer(questions[0].bare)["input_ids"]
    query = backbone.query(questions[0])
    assert query.dtype == torch.float32 and not query.requires_grad
    assert torch.equal(query, backbone.model.get_input_embeddings().weight[ids])


def test_half_precision_runs_and_scores_stay_fp32(make, film, encoded, kept, questions) -> None:
    backbone = make(dtype="bfloat16")
    tokens = encoded(backbone, film(3))
    assert tokens.embeddings.dtype == torch.bfloat16
    probe = backbone.probe(tokens, questions, Needs(attention=(0, 3), logits=True))[0]
    exact = make().probe(encoded(make(), film(3)), questions, Needs(attention=(0, 3), logits=True))[0]
    assert probe.logits.dtype == probe.attention[3].dtype == torch.float32
    assert probe.logits.isfinite().all()
    torch.testing.assert_close(probe.attention[0], exact.attention[0], atol=0.05, rtol=0)
    assert sum(backbone.answer(kept(tokens), questions[0]).probabilities) == pytest.approx(1)


def counted(run) -> float:  # type: ignore[no-untyped-def]
    """The operations of a pass as torch counts them."""
    with FlopCounterMode(display=False) as counter:
        run()
    return float(counter.get_total_flops())


@pytest.mark.parametrize("ticks", [1, 12])
def test_operations_are_those_that_torch_counts(make, film, encoded, kept, questions, ticks: int) -> None:
    backbone = make(attention="eager")  # torch counts no fused attention on CPUs
    tokens = encoded(backbone, film(ticks))
    whole = Frames(torch.zeros(ticks, 2, 3, 112, 112, dtype=torch.uint8), torch.arange(ticks).double())
    layout = backbone.layout(torch.arange(ticks), 112, 112)  # of whole windows
    equal = counted(lambda: backbone.encode(whole, layout))
    assert backbone.encode_flops(len(layout), 16) == pytest.approx(equal, rel=0.02)
    asked = [questions[0]] * 3  # of one length, so that nothing is padded
    for needs in (Needs(logits=True), Needs(attention=(2,)), Needs(attention=(1, 3), logits=True)):
        equal = counted(lambda needs=needs: backbone.probe(tokens, asked, needs))
        assert backbone.probe_flops(len(tokens), asked, needs) == pytest.approx(equal, rel=0.02)
    equal = counted(lambda: backbone.answer(kept(tokens), questions[0]))
    assert backbone.answer_flops(len(tokens), questions[0]) == pytest.approx(equal, rel=0.02)


@pytest.mark.parametrize("kept", [96, 24])
def test_operations_of_dropped_cells_are_not_counted(make, kept: int) -> None:
    """Rows are what torch counts. Attention is booked as if all cells were met, which is no less than what is."""
    backbone, ticks, per_tick = make(attention="eager"), 12, 16
    whole = Frames(torch.zeros(ticks, 2, 3, 112, 112, dtype=torch.uint8), torch.arange(ticks).double())
    keep = torch.arange(ticks * per_tick) * kept % (ticks * per_tick) < kept  # spread evenly
    with FlopCounterMode(display=False) as counter:
        backbone.encode(whole, backbone.layout(torch.arange(ticks), 112, 112), keep)
    counts = counter.get_flop_counts()["Global"]
    attention = counts.pop(torch.ops.aten.bmm)
    rows = backbone.encode_flops(kept, 0)  # which meet nobody
    assert rows == pytest.approx(sum(counts.values()), rel=0.02)
    assert attention <= backbone.encode_flops(kept, per_tick) - rows <= attention * per_tick


def test_operations_of_what_is_not_run_are_none(make, questions) -> None:
    backbone = make()
    assert backbone.probe_flops(10, questions, Needs()) == backbone.probe_flops(10, [], Needs(logits=True)) == 0
    assert backbone.encode_flops(0, 6) == 0
    one, two = (backbone.probe_flops(10, questions[:n], Needs(logits=True)) for n in (1, 2))
    assert one < two < 2 * one  # the prefix runs once
