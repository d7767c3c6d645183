"""The shipped checkpoints do what docs/results/lab_model.md says, on a few fresh clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from omegaconf import DictConfig, OmegaConf
from transformers import AutoTokenizer, Qwen2_5_VLForConditionalGeneration

import framework
from framework.backbones import equal_chunk_attention
from framework.config.build import build
from framework.lab.model import SLIDING_WINDOW, Shape, build_config
from framework.lab.tokenizer import words
from framework.lab.training.batches import LanguageSettings, language_batch
from framework.lab.training.clips import ClipSettings
from framework.lab.training.language import LabLanguage
from framework.lab.training.metrics import answers, by_split
from framework.lab.training.questions import Asker, QuestionSettings
from framework.lab.training.recipe import LabRecipe

ASSETS = Path(framework.__file__).parent / "assets"
CONF = Path(framework.__file__).parents[1] / "conf" / "recipe"
EARLIER = dict.fromkeys(("lab", "lab_hard", "lab_wide"), Shape(6, 1e6, (4, 6, 6)))
SHIPPED = [
    ("lab", {"attribute": 0.93}),
    ("lab_long", {"attribute": 0.93, "conjunction": 0.9, "two_evidence": 0.8, "when": 0.8, "order": 0.8}),
    ("lab_hard", {"attribute": 0.9, "conjunction": 0.8, "two_evidence": 0.8, "when": 0.65, "order": 0.8}),
]


def measured(name: str, splits: list[str], questions: int):  # type: ignore[no-untyped-def]
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(ASSETS / name).eval()
    model.set_attn_implementation({"vision_config": equal_chunk_attention.register()})
    tokenizer = AutoTokenizer.from_pretrained(ASSETS / name)
    phase = list(build(DictConfig(OmegaConf.load(CONF / f"{name}.yaml")), LabRecipe, "recipe").phases.values())[-1]
    assert phase.losses is not None
    module = LabLanguage(model, tokenizer, phase.schedule, phase.losses).eval()
    plain = QuestionSettings(dict.fromkeys(splits, 1.0), 0.35, 0.6, 0.0, 0.0, 0.0, 0.0)
    clear = ClipSettings((0.1, 0.45), (2, 8), 0.5, 1.0, 0.3, 0.0, 1.0, (0.03, 0.06), 0.0)
    told = name not in EARLIER  # when the film ends
    batches = LanguageSettings(False, 8, 4, [(0, 16)], 0.0, 6000, 0.0, (8, 32), 8, length_told=told)
    asker = Asker(plain, tokenizer.get_vocab())
    steps = range(questions // 32)
    drawn = (language_batch(np.random.default_rng([77, s]), 0, batches, clear, asker, SLIDING_WINDOW) for s in steps)
    return by_split(answers(module, drawn))


@pytest.mark.parametrize(("name", "least"), SHIPPED)
def test_accuracy_and_honest_entropy(name: str, least: dict[str, float]) -> None:
    rows = measured(name, list(least), questions=64 + 32 * len(least))
    for split, accuracy in least.items():
        assert rows[split].accuracy >= accuracy
    assert rows["attribute"].entropy_present < 0.2 and rows["attribute"].entropy_absent > 1.2
    assert rows["attribute"].auroc > 0.97


@pytest.mark.parametrize("name", [*(name for name, _ in SHIPPED), "lab_wide"])
def test_files_fit_the_code(name: str) -> None:
    folder = ASSETS / name
    tokenizer = AutoTokenizer.from_pretrained(folder)
    held = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().__getitem__)
    if name in EARLIER:  # they read numbers up to 16 as words
        numbers = [str(number) for number in range(10, 17)]
        place = held.index("10")
        assert held[place : place + 7] == numbers and held[:place] + held[place + 7 :] == list(words())
    else:
        assert tokenizer.get_vocab() == {word: index for index, word in enumerate(words())}
    assert sorted(tokenizer.get_vocab().values()) == list(range(len(held)))
    config = Qwen2_5_VLForConditionalGeneration.config_class.from_pretrained(folder)
    built = build_config(tokenizer, EARLIER.get(name, Shape()))
    for part in ("text_config", "vision_config"):
        told, meant = (getattr(c, part).to_diff_dict() for c in (config, built))
        assert {k: v for k, v in told.items() if k != "dtype"} == {k: v for k, v in meant.items() if k != "dtype"}
    assert (folder / "model.safetensors").stat().st_size <= 8_000_000
