"""The arithmetic of memory, by hand on small sizes."""

from __future__ import annotations

from dataclasses import replace

from framework.backbones.memory import Run, predict
from framework.backbones.shape import Shape, Tower

TOWER = Tower(parameters=100, width=6, inner=12, patch=2, frames=2, patches_per_token=4, side=None)
SHAPE = Shape(
    kind="kind",
    text_kind="text",
    parameters=1000,
    layer_parameters=200,
    layers=3,
    attention=(0, 1, 2),
    width=8,
    heads=2,
    key_heads=1,
    head=4,
    inner=16,
    vocabulary=10,
    states=0,
    levels=1,
    cut=True,
    tower=TOWER,
)
RUN = Run(
    ticks=10,
    group=4,
    frames_per_tick=2,
    height=4,
    width=6,
    tokens=3,
    tick_text=2,
    budget=7,
    candidates=8,
    questions=3,
    per_pass=2,
    rows=5,
    layers=(2,),
    logits=False,
    item=2,
)


def test_sizes_of_a_token() -> None:
    assert SHAPE.token_bytes(2) == 32  # 8 numbers, and 8 of DeepStack
    assert SHAPE.cache_bytes(2) == 48 and SHAPE.cache_bytes(2, depth=2) == 32  # keys and values of 4 numbers a layer
    assert replace(SHAPE, attention=(2,)).cache_bytes(2) == 16
    assert replace(SHAPE, attention=(2,)).cache_bytes(2, depth=2) == 0
    assert TOWER.patch_values == 24 and SHAPE.text_parameters == 900


def test_every_stage_by_hand() -> None:
    memory = predict(SHAPE, RUN)
    assert memory.weights == 2000
    # 4 ticks of 12 patches; 24 numbers a patch in fp32 and once more as the model has them, then 6
    assert memory.stages["encode"] == {"features": 12 * 32, "tower": 48 * (24 * 6 + 6 * 2)}
    # 32 + 12 + 8 places; the pass ends before layer 2; rows: 2 heads x 5 x 12 in fp32, of three questions
    assert memory.stages["probe"] == {
        "features": 384,
        "keys and values": 52 * 32,
        "captured": 52 * 8 + 3 * 480,
        "pass": 4 * 57 * (3 * 2 * 5 + 2 * 4),
    }
    # 32 + 7 + 14 places; one layer holds 3 widths, and 48 numbers of either half
    assert memory.stages["answer"] == {"features": 15 * 32, "keys and values": 53 * 48, "pass": 53 * 2 * (24 + 48)}
    assert memory.worst == "probe" and memory.device == 2000 + 12568
    assert memory.parked == 16 * 32 + 4 * 30 * 3 and memory.pixels == 8 * 144
    assert memory.host == 872 + 1152


def test_the_larger_of_two_is_taken() -> None:
    wide = predict(replace(SHAPE, tower=replace(TOWER, inner=100)), RUN)
    assert wide.stages["encode"]["tower"] == 48 * 2 * (24 + 300)
    few = predict(SHAPE, replace(RUN, layers=(), logits=True, rows=1, per_pass=1))
    assert few.stages["probe"]["pass"] == 52 * 144 and few.stages["probe"]["captured"] == 0
    assert few.stages["probe"]["keys and values"] == 52 * 48
    many = predict(SHAPE, replace(RUN, candidates=400, ticks=200))
    assert many.stages["answer"]["pass"] == 400 * 8 * 8 - 53 * 48


def test_recurrent_states_and_repeated_keys() -> None:
    hybrid = replace(SHAPE, attention=(2,), states=50)
    run = replace(RUN, layers=(), logits=True, repeated=True)
    probe = predict(hybrid, run).stages["probe"]
    assert probe["keys and values"] == 52 * 16 + 50 * 4
    questions = 10 * 16 + 2 * 50 * 4 + 2 * 10 * 8 + 10 * 144
    repeated = 2 * 52 * 2 * (1 + 2) * 4 * 2
    assert probe["pass"] == max(52 * 144, questions + repeated)
    wide = predict(hybrid, replace(run, per_pass=3, rows=50)).stages["probe"]["pass"]
    assert wide == 150 * 16 + 3 * 200 + 3 * 80 + 150 * 144 + 3 * 52 * 2 * 3 * 8


def test_what_is_not_probed_needs_no_probe() -> None:
    memory = predict(SHAPE, replace(RUN, layers=(), logits=False))
    assert set(memory.stages) == {"encode", "answer"} and memory.worst == "answer"
