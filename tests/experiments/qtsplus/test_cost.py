"""Costs at toy size; memory and break-even by hand; sizes and operations against stock models as torch counts them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from transformers import Qwen2_5_VLTextConfig, Qwen2_5_VLTextModel
from transformers.models.qwen2_5_vl.configuration_qwen2_5_vl import Qwen2_5_VLVisionConfig
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VisionTransformerPretrainedModel

from experiments.common import read
from experiments.qtsplus import cost as qtsplus_cost
from experiments.qtsplus import encoded
from experiments.qtsplus import operations as qtsplus_operations
from experiments.qtsplus.model_costs import MODELS, Decoder, Tower


def test_qtsplus_cost(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    qtsplus_cost.main(["frames=16,64", "kept=0.25", "repeats=1", f"folder={workplace}"])
    measured, computed = (read(workplace / f"{name}.csv") for name in (qtsplus_cost.NAME, qtsplus_cost.COMPUTED))
    said = capsys.readouterr().out
    assert all(table in said for table in qtsplus_cost.tables(measured, computed))
    assert [(row["frames"], row["way"]) for row in measured] == [
        (n, way) for n in (16, 64) for way in qtsplus_cost.WAYS
    ]
    for row in measured:
        everything = row["way"] == qtsplus_cost.ALL
        assert row["tokens"] == 2 * row["frames"] and row["kept"] == row["tokens"] / (1 if everything else 4)
        assert min(row[key] for key in ("choose", "answer", "encoding", "answer_mib", "answer_gflop")) > 0
        assert (row["choose_gflop"] == 0) is everything
        assert row["choose"] + row["answer"] <= row["seconds"] * (1 + 1e-4)
    memory = {(row["way"], row["frames"]): row["answer_mib"] for row in measured}
    assert memory[qtsplus_cost.ALL, 64] > 2 * memory["qtsplus", 64]
    left, right = qtsplus_cost.draw(measured, computed).axes
    for way, line in zip(qtsplus_cost.WAYS, left.lines, strict=True):
        mine = [row for row in measured if row["way"] == way]
        assert line.get_label() == way and list(line.get_ydata()) == [row["seconds"] for row in mine]
    assert len(right.lines) == 2 * (len(qtsplus_operations.RATIOS) + 1)
    assert Image.open(workplace / "qtsplus_cost.png").width > 400


def test_the_most_that_a_stage_holds() -> None:
    """Four megabytes at once within `a`, of which two outlive it; `b` begins with what it left."""

    def run() -> None:
        ledger, million = encoded.ProcessorLedger(), 2**20
        with ledger.stage("a", ["q"]):
            kept = torch.empty(2 * million, dtype=torch.uint8)
            torch.empty(2 * million, dtype=torch.uint8)
            torch.empty(million, dtype=torch.uint8)
        with ledger.stage("b", ["q"]):
            torch.empty(million, dtype=torch.uint8)
        del kept
        assert set(ledger.of("q")) == {"a", "b"}

    assert encoded.peaks(run) == {"a": 4 * 2**20, "b": 2**20}


@pytest.mark.parametrize(
    ("saved", "place"),
    [([1, 2, 3], 10), ([-1, 3, 3], 12.5), ([1, -1, 1], 30), ([-2, 0, 4], 20), ([2, 1, -1], None), ([0, 0, 0], None)],
)
def test_from_where_on_something_is_saved(saved: list[float], place: float | None) -> None:
    assert qtsplus_cost.crossing([10, 20, 40], saved) == place


@pytest.mark.parametrize(
    ("saves", "count"),
    [(lambda n: n - 10, 11), (lambda n: 1, 1), (lambda n: -n, None), (lambda n: n - 2**20 + 0.5, 2**20)],
)
def test_break_even_by_hand(saves: Callable[[int], float], count: int | None) -> None:
    assert qtsplus_operations.break_even(saves) == count


def test_a_break_even_is_where_it_turns() -> None:
    rows = {(row["model"], row["ratio"], row["frames"]): row for row in qtsplus_operations.compute()}
    row = rows["7B", 0.275, 1024]
    at = row["break_even_attention"]
    saved = [qtsplus_operations.operations_saved(MODELS["7B"], at + more, 0.275)[1] for more in (-1, 0)]
    assert saved[0] <= 0 < saved[1]
    rest = row["read_all"] - row["read_kept"] - row["score"] - row["reencode"]
    assert row["saved"] == pytest.approx(rest / (row["tower"] + row["read_all"]))
    assert row["tokens"] == 131_072


@pytest.mark.parametrize(
    ("name", "language", "vision"), [("3B", 2_774_773_760, 668_684_288), ("7B", 6_525_621_760, 676_550_144)]
)
def test_sizes_are_the_published_ones(name: str, language: int, vision: int) -> None:
    """Parameters of the language model without its embeddings and of the vision tower; biases and norms added here."""
    decoder, tower = MODELS[name].decoder, MODELS[name].tower
    small = decoder.width + 2 * decoder.keys + 2 * decoder.width  # biases of q, k and v; two norms
    assert decoder.layers * (decoder.weights + small) + decoder.width == language
    block = 4 * tower.width**2 + 3 * tower.width * tower.inner + 2 * tower.inner + 7 * tower.width
    merged = 4 * tower.width
    rest = 2 * 3 * tower.patch**2 * tower.width + tower.width + (merged + 1) * (merged + tower.out)
    assert tower.depth * block + rest == vision


def counted(run: Callable[[], Any]) -> float:
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


def test_reading_is_what_runs() -> None:
    """A stock decoder of the 3B's width; torch counts attention whole, of which causal attention is half."""
    decoder, length, text = Decoder(2048, 3, 16, 2, 11008), 50, 12
    sizes = {"hidden_size": 2048, "num_attention_heads": 16, "num_key_value_heads": 2, "intermediate_size": 11008}
    config = Qwen2_5_VLTextConfig(vocab_size=32, num_hidden_layers=3, **sizes)
    with torch.device("meta"):
        model = Qwen2_5_VLTextModel(config)
        states = torch.empty(1, length, 2048)
        ids = torch.zeros(3, 1, length, dtype=torch.long)
    half = 2.0 * length**2 * 2048
    heads = counted(lambda: model(inputs_embeds=states, position_ids=ids, use_cache=False)) - 3 * half
    assert decoder.read(length) == pytest.approx(heads, rel=1e-5)  # what is left are the angles of rotary positions
    attention = model.layers[2].self_attn
    rows = counted(lambda: attention.q_proj(states[:, :text])) + counted(lambda: attention.k_proj(states))
    assert decoder.point(length - text, text, 2) == decoder.read(length, 2) + rows + 2 * text * length * 2048


def test_encoding_is_what_runs() -> None:
    tower = Tower(width=32, depth=3, inner=40, full=1, patch=14, merge=2, window=56, out=24)
    sizes = {"hidden_size": 32, "num_heads": 2, "intermediate_size": 40, "window_size": 56, "out_hidden_size": 24}
    config = Qwen2_5_VLVisionConfig(depth=3, fullatt_block_indexes=[1], **sizes)
    model, side = Qwen2_5_VisionTransformerPretrainedModel(config), 112
    patches = torch.randn(2 * (side // 14) ** 2, 3 * 2 * 14**2)
    ran = counted(lambda: model(patches, grid_thw=torch.tensor([[2, side // 14, side // 14]])))
    assert tower.encode(2, side) == pytest.approx(ran, rel=1e-5)
    assert tower.tokens(side) == 16 and MODELS["3B"].tower.tokens() == 256
