"""The sub-command that trains. Imports nothing heavy."""

from __future__ import annotations

from framework.commands.command import Command

TRAIN = Command(
    name="train",
    target="framework.commands.train:run",
    before="framework.commands.train:renamed",
    config="train",
    summary="train what a recipe describes: a lab model, a selector, a gaze",
    text="""Trains one thing, named by recipe=. lab* are lab models. qtsplus is a learned selector on top of a frozen
backbone, or together with its language model (recipe.training.stage=2), from made needle videos or from a file of your
own. autogaze_* are the four stages of a gaze, in the order reconstructor, labels, ntp, grpo (docs/autogaze.md). Writes
curves and the checkpoint into the folder named by `folder`. Run again with the same folder, it goes on where it was
interrupted and ends with the same weights.

On several processes: torchrun --nproc-per-node 2 --no-python sieve train recipe=qtsplus recipe.trainer.devices=2
recipe.trainer.strategy=ddp. docs/qtsplus.md has all keys of a selector.""",
    examples=(
        ("sieve train recipe=lab", "the shipped lab model, from nothing"),
        ("sieve train recipe=lab seed=1 folder=outputs/train/second", "another seed"),
        ("sieve train recipe=qtsplus", "QTSplus on the lab model, from needle videos"),
        ("sieve train recipe=qtsplus recipe.training.rho=learned recipe.training.most=64", "and its budget head"),
        (
            "sieve train recipe=qtsplus recipe.training.stage=2 "
            "'recipe.training.lora={rank: 16, alpha: 32, dropout: 0.05}'",
            "and the language model, by LoRA",
        ),
        (
            "sieve train recipe=qtsplus backbone=qwen2_5_vl_3b recipe.file=mine.jsonl running.accelerator=gpu",
            "on questions about videos of your own",
        ),
        ("sieve train recipe=autogaze_reconstructor", "the first of the gaze's four stages; each names what it needs"),
    ),
    groups=("recipe", "backbone", "overlay", "reader"),
    texts=("recipe.file", "recipe.videos"),
)
