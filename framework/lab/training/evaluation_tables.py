"""The tables of docs/results/lab_model.md, measured on a checkpoint.

Run `python -m framework.lab.training.evaluation_tables --help`.

Short clips under several conditions, groups of long videos (with the needle, without it), and the layer in which
attention finds the needle. Stock classes run the packed forward pass; no strategy takes part.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf
from transformers import AutoTokenizer, Qwen2_5_VLForConditionalGeneration

from framework.backbones import equal_chunk_attention
from framework.config.build import build
from framework.lab.model import SLIDING_WINDOW
from framework.lab.needles import needle_scene
from framework.lab.questions import LabQuestion
from framework.lab.render import render
from framework.lab.scene import Scene
from framework.lab.training.batches import LanguageBatch, LanguageSettings, language_batch, vocabulary_of
from framework.lab.training.clips import ClipSettings
from framework.lab.training.forward import encode, read
from framework.lab.training.language import LabLanguage
from framework.lab.training.metrics import answers, auroc, by_split, summarise
from framework.lab.training.packing import pack
from framework.lab.training.questions import Asker, QuestionSettings
from framework.lab.training.recipe import LabRecipe
from framework.lab.video import through_codec, write_video
from framework.lab.world import CELLS, FRAMES_PER_TICK

BATCHES, CLIPS, QUESTIONS = 13, 16, 4  # 832 questions per row of the table of short clips
Row = dict[str, Any]
SEED = 2_000_000  # never that of a training step


def conditions(clips: ClipSettings) -> dict[str, tuple[int, ClipSettings, dict[str, Any]]]:
    """Maps the name of each condition to its frames, its clips and its changes of the batch settings."""
    plain = replace(clips, codec_share=0.0)
    return {
        "16 frames": (16, plain, {}),
        "32 frames": (32, plain, {}),
        "16 frames, through H.264": (16, replace(plain, codec_share=1.0), {}),
        "32 frames, through H.264": (32, replace(plain, codec_share=1.0), {}),
        "16 frames, unrelated ticks": (16, replace(plain, tick_share=1.0), {}),
        "16 frames, times up to 6,000 ticks": (16, plain, {"far_share": 1.0}),
        "32 frames, 32 of 64 tokens": (32, plain, {"subset_share": 1.0, "subset": (32, 32)}),
        "16 frames, every object opaque": (16, replace(plain, faint_share=0.0), {}),
    }


def short_clips(module: LabLanguage, vocabulary: dict[str, int], clips: ClipSettings, splits: list[str]) -> list[Row]:
    """Measures short clips: one row per condition and split."""
    questions = QuestionSettings(
        splits={name: 1.0 for name in splits},
        absent_share=0.35,
        hard_share=0.6,
        lookup_share=0.0,
        open_share=0.0,
        other_wording_share=0.0,
        other_count_share=0.0,
    )
    asker, rows = Asker(questions, vocabulary), []
    for number, (name, (frames, drawn, changes)) in enumerate(conditions(clips).items()):
        settings = LanguageSettings(False, CLIPS, QUESTIONS, [(0, frames)], 0.0, 6000, 0.0, (8, 32), CLIPS)
        settings = replace(settings, **changes)

        def batches(number: int, settings: LanguageSettings, drawn: ClipSettings) -> Iterator[LanguageBatch]:
            for step in range(BATCHES * len(splits)):
                generator = np.random.default_rng([SEED, number, step])
                yield language_batch(generator, 0, settings, drawn, asker, SLIDING_WINDOW)

        table = answers(module, batches(number, settings, drawn))
        rows += [{"condition": name, "split": split, **m.row()} for split, m in by_split(table).items()]
    return rows


def compression(module: LabLanguage, asker: Asker, clips: ClipSettings) -> list[Row]:
    """Measures the same clips and questions before and after H.264 at several qualities.

    Rows with H.264 also hold the PSNR, and the size of a long video in bytes per frame.
    """
    plain = LanguageSettings(False, CLIPS, QUESTIONS, [(0, 16)], 0.0, 6000, 0.0, (8, 32), CLIPS)
    uncoded = replace(clips, codec_share=0.0)
    scene, _ = needle_scene(np.random.default_rng(SEED), "attribute", 1024, 5, 8, 1.0, 0.05, 0.25)
    rows = []
    for crf in (None, 8, 18, 28, 36):
        batches, errors = [], []
        for step in range(BATCHES):
            generator = np.random.default_rng([SEED, 99, step])
            batch = language_batch(generator, 0, plain, uncoded, asker, SLIDING_WINDOW)
            assert batch.pixels is not None
            if crf is not None:
                before = batch.pixels.numpy()
                after = through_codec(before.reshape(-1, *before.shape[2:]), crf).reshape(before.shape)
                errors.append(np.mean((before.astype(np.float64) - after) ** 2))
                batch = replace(batch, pixels=torch.from_numpy(after))
            batches.append(batch)
        row = {"crf": crf, **summarise(answers(module, batches)).row()}
        if crf is not None:
            with tempfile.TemporaryDirectory() as folder:
                size = write_video(scene, Path(folder) / "video.mp4", crf).stat().st_size
            row |= {"psnr": float(10 * np.log10(255**2 / np.mean(errors))), "bytes per frame": size / scene.frames}
        rows.append(row)
    return rows


def evidence_ticks(question: LabQuestion) -> np.ndarray:
    """Returns every tick in which a needle of the question is seen."""
    spans = [np.arange(e.start, e.start + e.length) // FRAMES_PER_TICK for e in question.evidence]
    return np.unique(np.concatenate(spans))


def oracle_group(question: LabQuestion, ticks: int, size: int) -> np.ndarray:
    """Returns the ticks of a group that holds the evidence.

    For `when` it strides over the whole video, as an interleaved group does. Otherwise it is the evidence and its
    neighbourhood, cut to an equal share per needle.
    """
    if question.query.split == "when":
        stride = ticks // size
        return np.arange(size) * stride + int(evidence_ticks(question)[0]) % stride
    share = size // len(question.evidence)
    parts = []
    for needle in question.evidence:
        middle = (needle.start + needle.length // 2) // FRAMES_PER_TICK
        first = int(np.clip(middle - share // 2, 0, ticks - share))
        parts.append(np.arange(first, first + share))
    return np.unique(np.concatenate(parts))


def ask_group(
    module: LabLanguage, asker: Asker, visual: torch.Tensor, questions: list[LabQuestion], ticks: np.ndarray
) -> tuple[np.ndarray, LanguageBatch]:
    """Asks questions about one group with compact times; `visual` is f32 [T, CELLS, D].

    Returns the option probabilities f64 [questions, options], and the batch that was asked.
    """
    generator = np.random.default_rng(0)
    posed = [asker.encode(generator, question) for question in questions]
    kept = np.arange(len(ticks) * CELLS)[None]
    packed = pack([posed], kept, np.arange(len(ticks))[None], asker.vocabulary, SLIDING_WINDOW)
    batch = LanguageBatch(packed, None, torch.zeros(1), torch.from_numpy(kept), posed)
    with torch.no_grad():
        final, _ = read(module.model, packed, visual[ticks].flatten(0, 1)[None])
        logits = module.model.lm_head(final[0, packed.answer_rows[:, 1]])[:, module.letters].double()
    count = len(questions[0].options)
    return logits[:, :count].softmax(-1).numpy(), batch


def visual_tokens(module: LabLanguage, scene: Scene, coded: bool) -> torch.Tensor:
    """Encodes a whole video to visual tokens: f32 [T, CELLS, D]."""
    parts = []
    for start in range(0, scene.frames, 256):
        pixels = render(scene, start, min(start + 256, scene.frames))
        with torch.no_grad():
            frames = torch.from_numpy(through_codec(pixels) if coded else pixels)
            parts.append(encode(module.model, frames[None])[0])
    return torch.cat(parts).unflatten(0, (-1, CELLS))


def long_videos(
    module: LabLanguage, asker: Asker, splits: list[str], videos: int, frames: int, size: int, coded: bool
) -> list[Row]:
    """Measures groups of long videos, one row per split.

    A row holds the accuracy given the oracle group. It also holds the false certainty over all contiguous groups
    without evidence.
    """
    rows = []
    for split in splits:
        right, sure, empty = [], [], []
        for number in range(videos):
            generator = np.random.default_rng([SEED, number])
            scene, questions = needle_scene(generator, split, frames, 5, 8, 1.0, 0.05, 0.25)
            visual = visual_tokens(module, scene, coded)
            for question in questions:
                shares, _ = ask_group(module, asker, visual, [question], oracle_group(question, scene.ticks, size))
                right.append(int(shares[0].argmax()) == question.right)
                sure.append(_entropy(shares)[0])
            held = [set(evidence_ticks(question).tolist()) for question in questions]
            for first in range(0, scene.ticks - size + 1, size):
                group = np.arange(first, first + size)
                entropy = _entropy(ask_group(module, asker, visual, questions, group)[0])
                empty += [e for e, ticks in zip(entropy, held, strict=True) if not ticks & set(group.tolist())]
        low = np.array(empty)
        rows.append(
            {
                "split": split,
                "frames": frames,
                "group ticks": size,
                "questions": len(right),
                "chance": 1 / len(questions[0].options),
                "oracle group": float(np.mean(right)),
                "entropy, oracle": float(np.mean(sure)),
                "empty groups": len(low),
                "entropy, empty": float(low.mean()),
                "empty below .1": float((low < 0.1).mean()),
                "empty below .5": float((low < 0.5).mean()),
            }
        )
    return rows


def _entropy(shares: np.ndarray) -> np.ndarray:
    return -(shares * np.log(np.maximum(shares, 1e-12))).sum(-1)


def layer_profile(module: LabLanguage, asker: Asker, split: str, clips: int, frames: int) -> list[Row]:
    """Measures in each layer how well attention finds the needle.

    Of the visual tokens that the question's rows attend to most, each row of the table holds the share that lies on the
    needle.
    """
    module.model.set_attn_implementation({"text_config": "eager"})
    layers = module.model.config.text_config.num_hidden_layers
    found: dict[tuple[int, str], list[tuple[float, float]]] = {}
    for number in range(clips):
        generator = np.random.default_rng([SEED, 7, number])
        scene, questions = needle_scene(generator, split, frames, 1, 8, 1.0, 0.05, 0.25)
        visual = visual_tokens(module, scene, coded=False)
        _, batch = ask_group(module, asker, visual, questions, np.arange(scene.ticks))
        packed = batch.packed
        dark = torch.finfo(torch.float32).min
        masks = {
            "full_attention": torch.zeros(packed.full.shape).masked_fill(~packed.full, dark),
            "sliding_attention": torch.zeros(packed.full.shape).masked_fill(~packed.sliding, dark),
        }
        text = module.model.get_input_embeddings()(packed.ids)
        flat = visual.flatten(0, 1)[None]
        start = packed.video_start
        stop = start + flat.shape[1]
        with torch.no_grad():
            output = module.model.model.language_model(
                inputs_embeds=torch.cat([text[:, :start], flat, text[:, stop:]], dim=1),
                attention_mask=masks,
                position_ids=packed.positions,
                use_cache=False,
                output_attentions=True,
            )
        needle = np.zeros((scene.ticks, CELLS), bool)
        for place in questions[0].evidence:
            needle[place.start // FRAMES_PER_TICK : (place.start + place.length) // FRAMES_PER_TICK, place.cell] = True
        on_needle = needle.reshape(-1)
        first, length = stop + 1, len(questions[0].bare.split())
        rows = {"question": range(first, first + length), "question end": [first + length - 1], "last": [-2]}
        for layer in range(layers):
            attention = output.attentions[layer][0].mean(0)  # [S, S], mean over heads
            for name, chosen in rows.items():
                score = attention[list(chosen), start:stop].mean(0).numpy()
                best = np.argsort(-score, kind="stable")[: on_needle.sum()]
                found.setdefault((layer, name), []).append(
                    (on_needle[best].mean(), auroc(score[on_needle], score[~on_needle]))
                )
    module.model.set_attn_implementation({"text_config": "sdpa"})
    return [
        {"layer": layer, "rows": name, "top-k on needle": float(np.mean(a)), "auroc": float(np.mean(b))}
        for (layer, name), pairs in found.items()
        for a, b in [zip(*pairs, strict=True)]
    ]


def main() -> None:
    """Measures a checkpoint and prints every table as JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--recipe", type=Path, required=True, help="conf/recipe/lab*.yaml, for how its clips are drawn")
    parser.add_argument("--splits", nargs="+", required=True)
    parser.add_argument("--tables", nargs="+", default=["short", "compression", "layers", "long", "coded"])
    parser.add_argument("--videos", type=int, default=12)
    parser.add_argument("--frames", type=int, default=1024)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(options.checkpoint).eval()
    model.set_attn_implementation({"vision_config": equal_chunk_attention.register()})
    tokenizer = AutoTokenizer.from_pretrained(options.checkpoint)
    recipe = build(DictConfig(OmegaConf.load(options.recipe)), LabRecipe, "recipe")
    asking = [phase for phase in recipe.phases.values() if phase.clips is not None and phase.questions is not None]
    if not asking:
        parser.error(f"--recipe: {options.recipe} has no phase that asks about clips; use one such as lab.yaml")
    joint = asking[-1]
    assert joint.losses is not None and joint.questions is not None and joint.clips is not None
    module = LabLanguage(model, tokenizer, joint.schedule, joint.losses).eval()
    plain: dict[str, Any] = {
        "lookup_share": 0.0,
        "open_share": 0.0,
        "other_wording_share": 0.0,
        "other_count_share": 0.0,
    }
    asker = Asker(replace(joint.questions, **plain), vocabulary_of(tokenizer))
    clips, splits, videos, frames = joint.clips, options.splits, options.videos, options.frames
    tables: dict[str, Callable[[], list[Row]]] = {
        "short": lambda: short_clips(module, dict(asker.vocabulary), clips, splits),
        "compression": lambda: compression(module, asker, clips),
        "layers": lambda: layer_profile(module, asker, splits[0], 100, 16),
        "long": lambda: [
            row for size in (8, 16) for row in long_videos(module, asker, splits, videos, frames, size, coded=False)
        ],
        "coded": lambda: long_videos(module, asker, splits, videos, frames, 8, coded=True),
    }
    for name in options.tables:
        for row in tables[name]():
            rounded = {key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()}
            print(json.dumps({"table": name, **rounded}), flush=True)


if __name__ == "__main__":
    main()
