"""The shipped checkpoint does what docs/results/lab_model.md says, on a few fresh clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from omegaconf import DictConfig, OmegaConf
from transformers import AutoTokenizer, Qwen2_5_VLForConditionalGeneration

import framework
from framework.backbones import equal_chunk_attention
from framework.config.build import build
from framework.lab.model import SLIDING_WINDOW, build_config
from framework.lab.tokenizer import words
from framework.lab.training.batches import LanguageSettings, language_batch
from framework.lab.training.clips import ClipSettings
from framework.lab.training.language import LabLanguage
from framework.lab.training.metrics import answers, by_split
from framework.lab.training.questions import Asker, QuestionSettings
from framework.lab.training.recipe import LabRecipe

ASSETS = Path(framework.__file__).parent / "assets"
CONF = Path(framework.__file__).parents[1] / "conf" / "recipe"
LAB = ASSETS / "lab"
LEAST = {"attribute": 0.93, "conjunction": 0.9, "two_evidence": 0.8, "when": 0.8, "order": 0.8}


def measured(splits: list[str], questions: int):  # type: ignore[no-untyped-def]
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(LAB).eval()
    model.set_attn_implementation({"vision_config": equal_chunk_attention.register()})
    tokenizer = AutoTokenizer.from_pretrained(LAB)
    phase = list(build(DictConfig(OmegaConf.load(CONF / "lab.yaml")), LabRecipe, "recipe").phases.values())[-1]
    assert phase.losses is not None
    module = LabLanguage(model, tokenizer, phase.schedule, phase.losses).eval()
    plain = QuestionSettings(dict.fromkeys(splits, 1.0), 0.35, 0.6, 0.0, 0.0, 0.0, 0.0)
    clear = ClipSettings((0.1, 0.45), (2, 8), 0.5, 1.0, 0.3, 0.0, 1.0, (0.03, 0.06), 0.0)
    batches = LanguageSettings(False, 8, 4, [(0, 16)], 0.0, 6000, 0.0, (8, 32), 8, length_told=True)
    asker = Asker(plain, tokenizer.get_vocab())
    steps = range(questions // 32)
    drawn = (language_batch(np.random.default_rng([77, s]), 0, batches, clear, asker, SLIDING_WINDOW) for s in steps)
    return by_split(answers(module, drawn))


def test_accuracy_and_honest_entropy() -> None:
    rows = measured(list(LEAST), questions=64 + 32 * len(LEAST))
    for split, accuracy in LEAST.items():
        assert rows[split].accuracy >= accuracy
    assert rows["attribute"].entropy_present < 0.2 and rows["attribute"].entropy_absent > 1.2
    assert rows["attribute"].auroc > 0.97


def test_files_fit_the_code() -> None:
    tokenizer = AutoTokenizer.from_pretrained(LAB)
    assert tokenizer.get_vocab() == {word: index for index, word in enumerate(words())}
    config = Qwen2_5_VLForConditionalGeneration.config_class.from_pretrained(LAB)
    for part in ("text_config", "vision_config"):
        told, meant = (getattr(c, part).to_diff_dict() for c in (config, build_config(tokenizer)))
        assert {k: v for k, v in told.items() if k != "dtype"} == {k: v for k, v in meant.items() if k != "dtype"}
    assert (LAB / "model.safetensors").stat().st_size <= 8_000_000
