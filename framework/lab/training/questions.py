"""Training questions about what a clip shows, as token ids with their targets.

Every target is honest: uniform over the options where what is shown does not decide. Auxiliary targets say, at rows of
the question, which word answers it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from framework.lab.queries import COUNTS, DIRECTIONS, ZONES, Key, Query, Truth, truth
from framework.lab.questions import LabQuestion, pose
from framework.lab.tokenizer import LETTERS
from framework.lab.world import COLOURS, SHAPES, SIZES

TAIL = ("<|im_end|>", "<|im_start|>", "assistant")
END = "<|im_end|>"
NONE = "none"
LONG, CLEAR = 32, 0.12  # ticks of a film; thirds: no careful viewer tells one side of a border from the other there
TIMED = ("when", "order")
OTHER_WORDINGS = {
    "shape": ("what is the color of the {} ?", "which color is the {} ?", "what color does the {} have ?"),
    "colour": ("what shape is {} ?", "which object is {} ?", "what is the shape of the {} object ?"),
}


@dataclass(frozen=True)
class QuestionSettings:
    """Says what is asked. Shares are probabilities."""

    splits: Mapping[str, float]  # weights
    absent_share: float  # questions that what is shown does not decide
    hard_share: float  # of the conjunctions, those whose twin of the other size is shown too
    lookup_share: float  # "which option is red ?": teaches option word -> letter
    open_share: float  # without options: the answer is the word itself, or "none"
    other_wording_share: float
    other_count_share: float  # 2, 3 or 5 options in place of 4


@dataclass(frozen=True)
class TrainingQuestion:
    """Holds the token ids of one question, its answer included. Rows count from the question's first token."""

    ids: list[int]
    answer_row: int  # whose next token is the answer
    target: dict[int, float]  # token id -> probability
    words: list[tuple[int, int]]  # (row, token id): auxiliary targets of the middle layer
    letters: list[tuple[int, int, bool]]  # (row of an option's last word, index of its letter, whether it fits)
    split: str
    right: int | None  # index of the right option; None where nothing decides
    options: int = field(default=0)


class Asker:
    """Draws questions about sets of objects.

    `vocabulary` maps words to token ids. Raises ValueError for splits that cannot be asked about clips.
    """

    def __init__(self, settings: QuestionSettings, vocabulary: Mapping[str, int]) -> None:
        self.settings = settings
        self.vocabulary = vocabulary
        self.pickers: dict[str, Callable[..., tuple[Query, Truth, list[int]]]] = {
            "attribute": self._attribute,
            "conjunction": self._conjunction,
            "two_evidence": self._two_evidence,
            "when": self._when,
            "order": self._order,
            "count": self._count,
        }
        if unknown := sorted(set(settings.splits) - set(self.pickers)):
            raise ValueError(
                f"questions.splits: {', '.join(unknown)} can't be asked about clips; use {', '.join(self.pickers)}"
            )

    def ask(
        self, generator: np.random.Generator, objects: np.ndarray, ticks: np.ndarray, total: int, timed: bool
    ) -> TrainingQuestion:
        """Asks one question about objects i1 [M, 3] at ticks i64 [M] of `total`.

        `timed` allows questions about time.
        """
        settings = self.settings
        if generator.random() < settings.lookup_share:
            return self._lookup(generator)
        names = [name for name in settings.splits if timed or name not in TIMED]
        weights = np.array([settings.splits[name] for name in names], float)
        split = names[generator.choice(len(names), p=weights / weights.sum())]
        absent = generator.random() < settings.absent_share
        query, answer, decoys = self.pickers[split](generator, objects, ticks, total, absent)
        count = 4 if generator.random() >= settings.other_count_share else int(generator.choice([2, 3, 5]))
        return self.encode(generator, pose(generator, query, answer, count, decoys))

    def encode(self, generator: np.random.Generator, question: LabQuestion) -> TrainingQuestion:
        """Encodes a posed question to token ids and targets."""
        settings, split = self.settings, question.query.split
        bare, options = question.bare, question.options
        if split == "attribute" and generator.random() < settings.other_wording_share:
            key = question.query.keys[0]
            wordings = OTHER_WORDINGS[key.attribute]
            bare = wordings[generator.integers(len(wordings))].format(key.word)
        answers = _answer_words(question)
        if len(answers) == 1 and split != "two_evidence" and generator.random() < settings.open_share:
            options = ()
        words = bare.split()
        if split == "two_evidence":
            rows = [words.index(key.word) for key in question.query.keys]
        else:
            rows = [words.index("?")]
        letters = []
        for index, option in enumerate(options):
            words += [LETTERS[index], *option.split()]
            letters.append((len(words) - 1, index, question.target[index] * len(options) > 1))
        words += TAIL
        row = len(words) - 1
        hints = [(r, self.vocabulary[word]) for r, word in zip(rows, answers, strict=True)]
        if len(answers) == 1:
            hints.append((row, self.vocabulary[answers[0]]))
        if options:
            target = {self.vocabulary[LETTERS[i]]: share for i, share in enumerate(question.target) if share > 0}
        else:
            target = {self.vocabulary[answers[0]]: 1.0}
        return self._finish(generator, words, row, target, hints, letters, split, question.right, len(options))

    def _lookup(self, generator: np.random.Generator) -> TrainingQuestion:
        """A question that needs no video: which letter stands before a word."""
        names = (SHAPES, COLOURS)[generator.integers(2)]
        options = [names[i] for i in generator.permutation(len(names))[:4]]
        right = int(generator.integers(4))
        words = ["which", "option", "is", options[right], "?"]
        mark, letters = len(words) - 1, []
        for index, option in enumerate(options):
            words += [LETTERS[index], option]
            letters.append((len(words) - 1, index, index == right))
        words += TAIL
        row, word = len(words) - 1, self.vocabulary[options[right]]
        target = {self.vocabulary[LETTERS[right]]: 1.0}
        return self._finish(generator, words, row, target, [(mark, word), (row, word)], letters, "lookup", right, 4)

    def _finish(
        self,
        generator: np.random.Generator,
        words: list[str],
        row: int,
        target: dict[int, float],
        hints: list[tuple[int, int]],
        letters: list[tuple[int, int, bool]],
        split: str,
        right: int | None,
        options: int,
    ) -> TrainingQuestion:
        """Append an answer drawn from the target, after which the model learns to end its turn."""
        answer = generator.choice(list(target), p=list(target.values()))
        ids = [*(self.vocabulary[word] for word in words), int(answer)]
        return TrainingQuestion(ids, row, target, hints, letters, split, right, options)

    # Pickers: a query, its truth given what is shown, and tempting wrong values.

    def _attribute(self, generator, objects, ticks, total, absent):  # type: ignore[no-untyped-def]
        answers = {key: key.answers(objects) for key in _KEYS}
        key = _pick(generator, [k for k in _KEYS if len(answers[k]) == (0 if absent else 1)]) or _absent(answers)
        return Query("attribute", (key,)), _single(answers[key]), []

    def _conjunction(self, generator, objects, ticks, total, absent):  # type: ignore[no-untyped-def]
        answers = {key: key.answers(objects) for key in _SIZED_KEYS}
        fitting = [k for k in _SIZED_KEYS if len(answers[k]) == (0 if absent else 1)]
        hard = [k for k in fitting if answers[_twin(k)]]
        use = hard if hard and generator.random() < self.settings.hard_share else fitting
        key = _pick(generator, use) or _absent(answers)
        decoys = [value for value in answers[_twin(key)] if value not in answers[key]]
        return Query("conjunction", (key,)), _single(answers[key]), decoys[:3]

    def _two_evidence(self, generator, objects, ticks, total, absent):  # type: ignore[no-untyped-def]
        answers = {key: key.answers(objects) for key in _KEYS}
        attribute = ("shape", "colour")[generator.integers(2)]
        usable = [k for k in _KEYS if k.attribute == attribute and len(answers[k]) <= 1]
        present = [k for k in usable if answers[k]]
        missing = [k for k in usable if not answers[k]]
        wanted = 2 if not absent else int(generator.integers(2))
        wanted = max(min(wanted, len(present)), 2 - len(missing))
        if len(present) + len(missing) < 2:
            return self._attribute(generator, objects, ticks, total, absent)
        keys = _sample(generator, present, wanted) + _sample(generator, missing, 2 - wanted)
        keys = [keys[i] for i in generator.permutation(2)]
        return Query("two_evidence", tuple(keys)), tuple(_single(answers[k])[0] for k in keys), []

    def _when(self, generator, objects, ticks, total, absent):  # type: ignore[no-untyped-def]
        truths = {key: truth(Query("when", (key,)), objects, ticks, total) for key in _KEYS}
        clear = {k: t for k, t in truths.items() if t is not None and _clear(ticks[k.matches(objects)], total)}
        fitting = [k for k, t in clear.items() if (t[0] is None) == absent]
        key = _pick(generator, fitting) or _pick(generator, [k for k, t in truths.items() if t is not None])
        if key is None:
            return self._attribute(generator, objects, ticks, total, absent)
        return Query("when", (key,)), truths[key], []

    def _order(self, generator, objects, ticks, total, absent):  # type: ignore[no-untyped-def]
        attribute = ("shape", "colour")[generator.integers(2)]
        keys = [k for k in _KEYS if k.attribute == attribute]
        present = [k for k in keys if k.matches(objects).any()]
        missing = [k for k in keys if k not in present]
        wanted = 2 if not absent else int(generator.integers(2))
        wanted = max(min(wanted, len(present)), 2 - len(missing))
        pair = _sample(generator, present, wanted) + _sample(generator, missing, 2 - wanted)
        query = Query("order", tuple(pair[i] for i in generator.permutation(2)))
        answer = truth(query, objects, ticks, total)
        if answer is None:
            return self._attribute(generator, objects, ticks, total, absent)
        return query, answer, []

    def _count(self, generator, objects, ticks, total, absent):  # type: ignore[no-untyped-def]
        number = 0 if absent else int(generator.integers(len(COUNTS))) + 1
        answers = {key: len(key.answers(objects)) for key in _KEYS}
        nearest = sorted(_sample(generator, list(_KEYS), len(_KEYS)), key=lambda key: abs(answers[key] - number))
        key = next((k for k in nearest if answers[k] <= len(COUNTS)), None)
        if key is None:
            return self._attribute(generator, objects, ticks, total, absent)
        return Query("count", (key,)), truth(Query("count", (key,)), objects, ticks, total), []


def _clear(ticks: np.ndarray, total: int) -> bool:
    """Whether all ticks keep away from the borders between the thirds of a long film."""
    place = (ticks + 0.5) / total * len(ZONES)
    return total < LONG or bool((np.abs(place - np.clip(np.rint(place), 1, len(ZONES) - 1)) > CLEAR).all())


_KEYS = tuple(Key("shape", i) for i in range(len(SHAPES))) + tuple(Key("colour", i) for i in range(len(COLOURS)))
_SIZED_KEYS = tuple(Key(key.attribute, key.value, size) for key in _KEYS for size in range(len(SIZES)))


def _twin(key: Key) -> Key:
    return Key(key.attribute, key.value, 1 - (key.size or 0))


def _pick(generator: np.random.Generator, keys: list[Key]) -> Key | None:
    return keys[generator.integers(len(keys))] if keys else None


def _sample(generator: np.random.Generator, keys: list[Key], count: int) -> list[Key]:
    return [keys[i] for i in generator.permutation(len(keys))[:count]]


def _absent(answers: dict[Key, list[int]]) -> Key:
    """Some key with at most one answer; among 16 keys there is always one in clips this short."""
    return min(answers, key=lambda key: len(answers[key]))


def _single(values: list[int]) -> Truth:
    return (values[0] if values else None,)


def _answer_words(question: LabQuestion) -> list[str]:
    """The word that answers each key of a question, NONE where nothing is shown."""
    query = question.query
    if query.split == "when":
        return [NONE if question.truth[0] is None else ZONES[question.truth[0]]]
    if query.split == "count":
        return [NONE if question.truth[0] is None else COUNTS[question.truth[0]]]
    if query.split == "direction":
        return [NONE if question.truth[0] is None else DIRECTIONS[question.truth[0]]]
    if query.split == "order":
        return [NONE if question.truth[0] is None else query.keys[question.truth[0]].word]
    return [NONE if t is None else key.asked[t] for key, t in zip(query.keys, question.truth, strict=True)]
