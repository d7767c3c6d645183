"""The backbone without a network: shapes, how alike embeddings are, and that questions and groups differ."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn.functional import normalize

from framework.core.types import Frames, Question
from framework.core.view import Needs
from framework.profiling.null_backbone import SHIFT, STEP, NullBackbone, Shapes

SHAPES: dict[str, Any] = {"rows": 2, "columns": 3, "width": 512, "heads": 4, "text": 6, "vocabulary": 50}
NULL = NullBackbone(Shapes(**SHAPES, dtype="bfloat16"), most=24, groups=2, alike=0.6)
ASKED = [Question(name, "what ?", "what ?") for name in "ab"]


def frames(ticks: int) -> Frames:
    return Frames(torch.zeros(ticks, 2, 3, 56, 84, dtype=torch.uint8), torch.arange(ticks, dtype=torch.float64) * 7)


def test_tokens_have_their_places_and_share_the_strip() -> None:
    layout = NULL.layout(torch.tensor([1, 3, 5, 7]), *NULL.frame_size(1, 1))
    tokens = NULL.encode(frames(4), layout)
    assert tokens.embeddings.shape == (24, 512) and tokens.embeddings.dtype == torch.bfloat16
    assert tokens.embeddings.data_ptr() == NULL.strip[STEP].data_ptr()  # of the second of two groups; not a copy
    assert tokens.tick[:7].tolist() == [1] * 6 + [3] and tokens.row[:6].tolist() == [0, 0, 0, 1, 1, 1]
    assert tokens.column[:4].tolist() == [0, 1, 2, 0] and tokens.seconds[5:7].tolist() == [0, 7]
    keep = torch.zeros(24, dtype=torch.bool)
    keep[[2, 9]] = True
    fewer = NULL.encode(frames(4), layout, keep)
    assert fewer.tick.tolist() == [1, 3] and fewer.seconds.tolist() == [0, 7]
    assert torch.equal(fewer.embeddings, tokens.embeddings[[2, 9]])


def test_embeddings_are_as_alike_as_was_asked() -> None:
    unit = normalize(NULL.strip.float(), dim=-1)
    cosines = (unit[:200] @ unit[200:400].T).flatten()
    assert abs(float(cosines.mean()) - 0.6) < 0.05 and float(cosines.std()) < 0.05


def test_probes_of_questions_and_groups_differ() -> None:
    needs = Needs(attention=(3, 5), logits=True)
    first, second = (NULL.encode(frames(2), NULL.layout(torch.tensor([at, 9]), 56, 84)) for at in (0, 1))
    one, other = NULL.probe(first, ASKED, needs)
    assert one.attention[3].shape == (4, 6, 12) and one.attention[5] is one.attention[3]
    assert one.logits.shape == (1, 50) and not torch.equal(one.logits, other.logits)
    assert torch.equal(other.attention[3], NULL.attention[..., SHIFT : SHIFT + 12])
    assert torch.equal(
        NULL.probe(second, ASKED, needs)[0].logits, other.logits
    )  # one group later, one question earlier
    assert torch.cat([one.rows[name] for name in ("question", "options", "last")]).tolist() == list(range(6))
    assert sum(NULL.group_answer(one, ASKED[0]).probabilities) == pytest.approx(1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rows": 0}, "rows: got 0, expected at least 1"),
        ({"vocabulary": 4}, "vocabulary: got 4, expected at least 8"),
        ({"dtype": "int8"}, "dtype: got 'int8', expected one of float32"),
    ],
)
def test_wrong_shapes(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Shapes(**{**SHAPES, "dtype": "float32", **change})
