"""The whole loop with the lab model on a short made video: what is found, what is decoded, what never changes."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig
from torch import Tensor

from framework.benchmarks.base import VideoItem
from framework.config.parts import build_pipeline
from framework.core.interfaces import BudgetAllocator, TokenScorer
from framework.core.outcome import Outcome
from framework.core.types import Candidates, Frames, Layout, Question, ScoredGroup, Scores, Selection, Tokens
from framework.core.view import GroupView, Needs, Probe
from framework.engine.ledger import Ledger
from framework.engine.live import WORTHWHILE, LiveSession
from framework.engine.pipeline import Pipeline
from framework.engine.session import Wanted, best
from framework.engine.shown import Shown
from framework.evaluation.evidence import evidence_kept
from framework.video.readers.pyav import PyAVReader

Compose = Callable[..., DictConfig]


@pytest.fixture
def pipeline(composed: Compose) -> Callable[..., Pipeline]:
    return lambda *overrides: build_pipeline(composed(*overrides))


def facts(outcome: Outcome) -> str:
    """All that must not change, as text: answer, groups and kept places; not the costs."""
    groups = [replace(g, visited=g.visited is not None) for g in outcome.trace.groups]  # type: ignore[arg-type]
    kept = outcome.selection
    places = [kept.tokens.tick.tolist(), kept.tokens.row.tolist(), kept.tokens.column.tolist()] if kept else []
    rounded = [round(p, 5) for p in outcome.answer.probabilities]
    return json.dumps([outcome.answer.choice, rounded, [(g.quota, g.kept, g.visited) for g in groups], places])


def test_adapttoken_finds_what_uniform_cannot(pipeline: Callable[..., Pipeline], needle_video: VideoItem) -> None:
    questions = [item.question for item in needle_video.items]
    right = ["ABCD".index(item.right) for item in needle_video.items]
    found = {}
    for preset in ("adapttoken", "uniform"):
        outcomes = pipeline(f"preset={preset}").answer(needle_video.path, questions)
        found[preset] = sum(o.answer.choice == r for o, r in zip(outcomes, right, strict=True))
    assert found["adapttoken"] == 5
    assert found["uniform"] < 5


@pytest.mark.parametrize("budget", [1, 4, 511, 512, 600])
def test_the_budget_is_spent_exactly(budget: int, pipeline: Callable[..., Pipeline], needle_video: VideoItem) -> None:
    outcome = pipeline("preset=adapttoken", f"budget={budget}").answer(
        needle_video.path, [needle_video.items[0].question]
    )[0]
    assert outcome.trace.tokens_total == 512
    assert outcome.trace.tokens_kept == sum(g.kept for g in outcome.trace.groups) == min(budget, 512)
    assert sum(g.quota for g in outcome.trace.groups) == min(budget, 512)


def test_the_trace_knows_every_token_that_was_offered(
    pipeline: Callable[..., Pipeline], needle_video: VideoItem
) -> None:
    """A needle's own cell at each of its ticks, counted among the tokens that were kept."""
    item = needle_video.items[0]
    ((start, end),), cell = item.evidence, int(str(item.facts["cells"]))
    for budget in (8, 512):
        (outcome,) = pipeline("preset=adapttoken", f"budget={budget}").answer(needle_video.path, [item.question])
        assert outcome.trace.offered is not None and outcome.selection is not None
        assert outcome.trace.offered.seconds.tolist() == [float(tick) for tick in range(128)]
        kept = outcome.selection.tokens
        places = zip(kept.seconds.tolist(), (2 * kept.row + kept.column).tolist(), strict=True)
        hits = sum(start <= seconds < end and place == cell for seconds, place in places)
        share = evidence_kept(outcome.selection, outcome.trace.offered, item)
        assert hits and share == hits / (end - start)  # a tick is a second
    assert share == 1


def test_uniform_decodes_and_encodes_only_what_it_keeps(
    pipeline: Callable[..., Pipeline], needle_video: VideoItem
) -> None:
    outcome = pipeline("preset=uniform", "budget=32").answer(needle_video.path, [needle_video.items[0].question])[0]
    assert outcome.trace.tokens_seen == outcome.trace.tokens_kept == 32
    assert outcome.trace.frames_decoded == 16
    assert "probe" not in outcome.trace.stages
    assert outcome.selection is not None
    assert outcome.selection.tokens.tick.unique().tolist() == [0, 18, 36, 54, 73, 91, 109, 127]  # linspace(0, 127, 8)


def test_stock_answers_from_every_token(pipeline: Callable[..., Pipeline], needle_video: VideoItem) -> None:
    question = needle_video.items[0].question
    outcome = pipeline("preset=stock").answer(needle_video.path, [question])[0]
    assert outcome.trace.tokens_kept == outcome.trace.tokens_total == 512
    assert "probe" not in outcome.trace.stages and outcome.selection is not None
    assert outcome.selection.tokens.tick.tolist() == [tick for tick in range(128) for _ in range(4)]
    assert outcome.trace.frames_decoded == 256 and outcome.answer.choice == "ABCD".index(needle_video.items[0].right)
    few = pipeline("preset=stock", "frames=64").answer(needle_video.path, [question])[0]
    assert few.trace.tokens_kept == few.trace.tokens_total == 128


def test_frames_share_the_pixels_of_the_video(pipeline: Callable[..., Pipeline], needle_video: VideoItem) -> None:
    """256 frames of 56 x 56 within 200,704 pixels, a tick counted once: 1,568 a frame, so 28 x 28 and one token."""
    keys = ("backbone.adapter.min_pixels=784", "backbone.adapter.total_pixels=200704")
    outcome = pipeline("preset=uniform", *keys).answer(needle_video.path, [needle_video.items[0].question])[0]
    assert outcome.trace.tokens_total == 128


@pytest.mark.parametrize("preset", ["adapttoken", "flexselect"])
def test_a_selection_knows_where_its_video_ends(
    preset: str, pipeline: Callable[..., Pipeline], needle_video: VideoItem
) -> None:
    selection = pipeline(f"preset={preset}").answer(needle_video.path, [needle_video.items[0].question])[0].selection
    assert selection is not None and (selection.end_tick, selection.end_seconds) == (127, pytest.approx(127.0))


def test_flexselect_as_published_rounds_and_floors(pipeline: Callable[..., Pipeline], needle_video: VideoItem) -> None:
    """128 ticks in 16 groups: 70 tokens are 72 of whole ticks of 4, and floor(72 / 16) = 4 a group."""
    outcome = pipeline("preset=flexselect_published", "backbone.group_ticks=8", "budget=70").answer(
        needle_video.path, [needle_video.items[0].question]
    )[0]
    assert [group.quota for group in outcome.trace.groups] == [4] * 16 and outcome.trace.tokens_kept == 64


def test_a_rounded_budget_may_be_one_groups_alone(pipeline: Callable[..., Pipeline], needle_video: VideoItem) -> None:
    """One group of 512 tokens, a budget of 70: 72 of them are kept, so 72 have to be held."""
    outcome = pipeline("preset=flexselect_published", "splitter=whole", "budget=70").answer(
        needle_video.path, [needle_video.items[0].question]
    )[0]
    assert outcome.trace.tokens_kept == 72


def test_the_overshoot_once_or_of_every_group(pipeline: Callable[..., Pipeline], needle_video: VideoItem) -> None:
    """32 tokens in 17 groups, equal: quotas of 2 and 1 overshoot to 3 and 2, 49 candidates; taken once, to 36."""
    question, given = needle_video.items[0].question, []
    for of in ("quota", "budget"):
        made = pipeline("preset=adapttoken", "backbone.group_ticks=8", "allocator=equal", f"refiner.overshoot_of={of}")

        class Counting(type(made.refiner)):  # type: ignore[misc]
            def refine(self, candidates: Candidates, question: Question, budget: int) -> Selection:
                given.append(len(candidates))
                return super().refine(candidates, question, budget)

        counting = Counting(**{field.name: getattr(made.refiner, field.name) for field in fields(made.refiner)})
        outcome = replace(made, refiner=counting).answer(needle_video.path, [question])[0]
        assert outcome.trace.tokens_kept == 32 and sum(group.quota for group in outcome.trace.groups) == 32
    assert given == [49, 36]


def test_lite_stops_at_the_first_certain_group(pipeline: Callable[..., Pipeline], needle_video: VideoItem) -> None:
    """AdaptToken-Lite as read from the paper: natural order, one certain group."""
    outcome = pipeline("preset=adapttoken_lite").answer(needle_video.path, [needle_video.items[0].question])[0]
    seen = [group for group in outcome.trace.groups if group.visited is not None]
    assert [group.visited for group in seen] == [group.index for group in seen] == list(range(len(seen)))
    certain = [group.signals["entropy"] <= 0.1 for group in seen if group.signals is not None]
    assert certain == [False] * (len(seen) - 1) + [True] and len(seen) < len(outcome.trace.groups)


@dataclass(frozen=True)
class Spoilt(PyAVReader):
    """Calls some frames damaged."""

    frames: frozenset[int] = frozenset()

    def decode(
        self, path: str, frames: Sequence[int], damaged: set[int] | None = None
    ) -> Generator[tuple[int, Tensor], None, None]:
        for number, picture in super().decode(path, frames):
            if damaged is not None and number in self.frames:
                damaged.add(number)
            yield number, picture


def test_each_question_knows_how_many_damaged_ticks_it_was_shown(
    pipeline: Callable[..., Pipeline], needle_video: VideoItem
) -> None:
    questions = [item.question for item in needle_video.items[:2]]
    reader = Spoilt(1, frames=frozenset({6, 7, 36, 201}))  # of ticks 3, 18 and 100
    whole = replace(pipeline("preset=adapttoken"), reader=reader)
    assert [outcome.trace.damaged_ticks for outcome in whole.answer(needle_video.path, questions)] == [3, 3]
    few = replace(pipeline("preset=uniform", "budget=32"), reader=reader)  # ticks 0, 18, 36, ...
    assert [outcome.trace.damaged_ticks for outcome in few.answer(needle_video.path, questions)] == [1, 1]
    partly = replace(pipeline("preset=adapttoken_agreement"), reader=reader)
    for outcome in partly.answer(needle_video.path, questions):
        seen = [group for group in outcome.trace.groups if group.visited is not None]
        shown = [tick for tick in (3, 18, 100) if any(tick % len(outcome.trace.groups) == g.index for g in seen)]
        assert outcome.trace.damaged_ticks == len(shown)


def test_every_frame_is_decoded_once_for_interleaved_groups(
    pipeline: Callable[..., Pipeline], needle_video: VideoItem
) -> None:
    outcome = pipeline("preset=adapttoken").answer(needle_video.path, [needle_video.items[0].question])[0]
    assert outcome.trace.frames_decoded == 256
    assert outcome.trace.tokens_seen == 512


@pytest.mark.parametrize(
    "overrides",
    [
        ("preset=adapttoken",),
        ("preset=adapttoken_agreement",),
        ("preset=adapttoken", "scheduler=upper_confidence", "stopping=certain"),
        ("preset=high_entropy",),
        ("preset=uniform",),
        ("preset=vote",),
    ],
    ids=" ".join,
)
def test_sharing_changes_no_answer(
    overrides: tuple[str, ...], pipeline: Callable[..., Pipeline], needle_video: VideoItem
) -> None:
    questions = [item.question for item in needle_video.items[:3]]
    together = pipeline(*overrides).answer(needle_video.path, questions)
    alone = pipeline(*overrides, "share=false").answer(needle_video.path, questions)
    assert [facts(o) for o in together] == [facts(o) for o in alone]


def test_shared_groups_are_encoded_once(
    pipeline: Callable[..., Pipeline], needle_video: VideoItem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when an adaptive order sends the questions to the groups at different times."""
    built = pipeline("preset=adapttoken", "scheduler=upper_confidence")
    seen: Counter[int] = Counter()
    stock = built.backbone.encode

    def counting(frames: Frames, layout: Layout, keep: Tensor | None = None) -> Tokens:
        seen.update(layout.tick.unique().tolist())
        return stock(frames, layout, keep)

    monkeypatch.setattr(built.backbone, "encode", counting)
    built.answer(needle_video.path, [item.question for item in needle_video.items])
    assert set(seen.values()) == {1} and len(seen) == 128


@pytest.mark.parametrize("share", [True, False])
def test_a_ledger_of_the_callers_knows_what_was_run(
    share: bool, pipeline: Callable[..., Pipeline], needle_video: VideoItem
) -> None:
    ledger, questions = Ledger(), [item.question for item in needle_video.items[:3]]
    outcomes = pipeline("preset=adapttoken", f"share={share}").answer(needle_video.path, questions, ledger=ledger)
    seen, spent = [outcome.trace.stages["probe"] for outcome in outcomes], ledger.spent()["probe"]
    assert spent.passes == (seen[0].passes if share else sum(cost.passes for cost in seen))
    assert spent.seconds == pytest.approx(sum(cost.seconds for cost in seen))


def test_the_order_changes_nothing_without_stopping(pipeline: Callable[..., Pipeline], needle_video: VideoItem) -> None:
    question = [needle_video.items[1].question]
    orders = ["natural", "reversed", "random", "van_der_corput"]
    results = [
        facts(pipeline("preset=adapttoken", f"scheduler={o}").answer(needle_video.path, question)[0]) for o in orders
    ]
    assert len(set(results)) == 1


def test_lite_visits_fewer_groups_and_only_those_get_tokens(
    pipeline: Callable[..., Pipeline], needle_video: VideoItem
) -> None:
    outcomes = pipeline("preset=adapttoken_agreement").answer(
        needle_video.path, [i.question for i in needle_video.items]
    )
    assert sum(o.trace.visited_share for o in outcomes) / len(outcomes) < 1
    for outcome in outcomes:
        skipped = [g for g in outcome.trace.groups if g.visited is None]
        assert all(g.kept == g.quota == 0 and g.relevance is None for g in skipped)
        assert outcome.trace.tokens_seen < outcome.trace.tokens_total or not skipped


def test_same_seed_same_answer(pipeline: Callable[..., Pipeline], needle_video: VideoItem) -> None:
    question = [needle_video.items[0].question]
    first, second, other = (
        facts(pipeline("preset=random", f"seed={seed}").answer(needle_video.path, question)[0]) for seed in (1, 1, 2)
    )
    assert first == second != other


def test_voting_never_runs_the_final_pass(pipeline: Callable[..., Pipeline], needle_video: VideoItem) -> None:
    outcome = pipeline("preset=vote").answer(needle_video.path, [needle_video.items[0].question])[0]
    assert outcome.selection is None and "answer" not in outcome.trace.stages


class LeftColumn(TokenScorer):
    """Refuses every token outside the left column; looks at pixels only."""

    before_tower = True

    @property
    def needs(self) -> Needs:
        return Needs(pixels=True)

    def score(self, view: GroupView) -> Scores:
        assert len(view.frames.pixels) == len(view.group)
        return Scores(torch.where(view.layout.column == 0, 1.0, -torch.inf))


def test_a_pixel_scorer_drops_before_the_tower(pipeline: Callable[..., Pipeline], needle_video: VideoItem) -> None:
    built = replace(pipeline("preset=adapttoken"), scorer=LeftColumn())
    outcome = built.answer(needle_video.path, [needle_video.items[0].question])[0]
    assert outcome.trace.tokens_seen == 256
    assert outcome.selection is not None and set(outcome.selection.tokens.column.tolist()) == {0}


class OwnColumn(TokenScorer):
    """Lets every question have a column of its own, by what it asks; reads the encoded tokens."""

    before_probe = True

    @property
    def needs(self) -> Needs:
        return Needs(tokens=True)

    def score(self, view: GroupView) -> Scores:
        assert len(view.tokens) == len(view.layout)
        mine = int(view.question.id[-1]) % 2
        return Scores(torch.where(view.layout.column == mine, 1.0, -torch.inf))


def test_a_question_is_probed_on_what_is_not_refused_for_it(
    pipeline: Callable[..., Pipeline], needle_video: VideoItem, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = replace(pipeline("preset=adapttoken"), scorer=OwnColumn())
    seen: list[tuple[set[str], set[int]]] = []
    stock = built.backbone.probe

    def probe(tokens: Tokens, questions: Sequence[Question], needs: Needs) -> Sequence[Probe]:
        seen.append(({question.id for question in questions}, set(tokens.column.tolist())))
        return stock(tokens, questions, needs)

    monkeypatch.setattr(built.backbone, "probe", probe)
    asked = [replace(item.question, id=f"q{i}") for i, item in enumerate(needle_video.items[:3])]
    together = built.answer(needle_video.path, asked)
    assert {(frozenset(ids), frozenset(columns)) for ids, columns in seen} == {
        (frozenset({"q0", "q2"}), frozenset({0})),
        (frozenset({"q1"}), frozenset({1})),
    }
    for question, outcome in zip(asked, together, strict=True):
        assert outcome.selection is not None
        assert set(outcome.selection.tokens.column.tolist()) == {int(question.id[-1]) % 2}
        assert outcome.trace.tokens_seen == 512, "all went through the vision tower"
        alone = built.answer(needle_video.path, [question])[0]
        assert alone.answer.probabilities == pytest.approx(outcome.answer.probabilities, abs=1e-5)


def test_the_prior_is_probed_once_per_question(pipeline: Callable[..., Pipeline], needle_video: VideoItem) -> None:
    built = pipeline("preset=adapttoken", "relevance.prior=subtract")
    outcome = built.answer(needle_video.path, [needle_video.items[0].question])[0]
    assert outcome.trace.stages["prior"].passes == 1


@pytest.mark.parametrize("order", ["scheduler=natural", "scheduler=upper_confidence"])
def test_what_is_parked_is_bounded(
    order: str, pipeline: Callable[..., Pipeline], needle_video: VideoItem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a visited group nothing stays but the tokens that some question may keep; pixels are gone."""
    looks: list[Any] = []
    stock = LiveSession.secure
    monkeypatch.setattr(LiveSession, "secure", lambda self, wanted: (looks.append(self), stock(self, wanted))[1])
    built = pipeline("preset=adapttoken", "stopping=certain", order, "budget=4")
    built.answer(needle_video.path, [i.question for i in needle_video.items[:2]])
    for shown in looks[0]._shown.values():
        assert shown.frames is None
        assert len(shown.tokens) <= 2 * 5  # two questions, ceil(1.1 x 4) tokens each


@pytest.mark.parametrize(
    "overrides",
    [
        ("allocator=softmax", "scheduler=random"),
        ("allocator=softmax", "allocator.minimum=1", "scheduler=upper_confidence", "stopping=certain"),
        ("allocator=equal", "scheduler=van_der_corput", "refiner.overshoot_of=budget"),
        ("allocator=softmax", "backbone.temperature=0.1", "refiner.overshoot=1.6"),
        ("allocator=softmax", "stopping=agreement"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_kept_any_more_is_given_up_early(
    overrides: tuple[str, ...],
    pipeline: Callable[..., Pipeline],
    needle_video: VideoItem,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same selections as when every group keeps what it could get at most, with fewer tokens held."""
    held: list[int] = []
    stock = LiveSession.release

    def release(self: LiveSession, awaited: set[int], wanted: Wanted) -> None:
        stock(self, awaited, wanted)
        held[-1] = max(held[-1], self.held_bytes)

    monkeypatch.setattr(LiveSession, "release", release)
    built = pipeline("preset=adapttoken", "backbone.group_ticks=8", "budget=24", *overrides)
    asked, found = [item.question for item in needle_video.items[:2]], []
    for most in (type(built.allocator).most, BudgetAllocator.most):
        monkeypatch.setattr(type(built.allocator), "most", most)
        held.append(0)
        found.append([facts(outcome) for outcome in built.answer(needle_video.path, asked)])
    assert found[0] == found[1]
    assert held[0] < held[1]


def test_an_allocator_that_said_too_little_is_named(
    pipeline: Callable[..., Pipeline], needle_video: VideoItem, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = pipeline("preset=adapttoken")
    monkeypatch.setattr(type(built.allocator), "most", lambda self, groups, question, budget: [1] * len(groups))
    with pytest.raises(RuntimeError, match=r"group \d+: \d+ tokens .* `most` had said fewer \(key: allocator\)"):
        built.answer(needle_video.path, [needle_video.items[0].question])


def test_parked_groups_are_copied_again_only_where_much_is_not_wanted(
    pipeline: Callable[..., Pipeline], needle_video: VideoItem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """17 groups of some 30 tokens: each is parked once, and of what was parked no token is copied much oftener."""
    copied: Counter[int] = Counter()
    stock = Shown.park

    def park(self: Shown, limits: Sequence[tuple[ScoredGroup, int]]) -> None:
        stock(self, limits)
        copied[int(self.layout.tick[0])] += len(self.index)

    monkeypatch.setattr(Shown, "park", park)
    built = pipeline("preset=adapttoken", "backbone.group_ticks=8", "budget=24")
    built.answer(needle_video.path, [needle_video.items[0].question])
    assert len(copied) == 17
    assert all(
        tokens <= 27 / (1 - WORTHWHILE) for tokens in copied.values()
    )  # at first ceil(1.1 x 24), a geometric sum


def test_questions_need_ids_of_their_own(pipeline: Callable[..., Pipeline], needle_video: VideoItem) -> None:
    question = needle_video.items[0].question
    with pytest.raises(ValueError, match="ids of their own"):
        pipeline("preset=uniform").answer(needle_video.path, [question, question])


def test_best_breaks_ties_by_place_and_never_takes_the_refused() -> None:
    scores = torch.tensor([1.0, 3.0, 3.0, -torch.inf, 3.0])
    assert best(scores, 2).tolist() == [1, 2]
    assert best(scores, 9).tolist() == [0, 1, 2, 4]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from([-math.inf, -1.5, -0.0, 0.0, 0.25, 3.0]), max_size=30), st.integers(-1, 33))
def test_the_best_are_those_of_a_stable_sort(scores: list[float], count: int) -> None:
    order = sorted(range(len(scores)), key=lambda place: -scores[place])[: max(0, count)]
    assert best(torch.tensor(scores), count).tolist() == sorted(i for i in order if scores[i] > -math.inf)
