"""Tests mirror the source: a module of some size has a test of its stem, or is named here with its test."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
AUTOGAZE, QTSPLUS = "strategies/learned/autogaze", "strategies/learned/qtsplus"
LINES = 60  # a module with more needs a test of its own
COVERED = {
    "framework/__init__.py": "tests/framework/test_api.py",
    "framework/backbones/beside.py": "tests/framework/backbones/test_loading.py",
    "framework/backbones/grid.py": "tests/framework/backbones/test_qwen2_5_vl.py",
    "framework/benchmarks/annotated.py": "tests/framework/benchmarks/test_golden.py",
    "framework/benchmarks/base.py": "tests/framework/evaluation/test_metrics.py",
    "framework/benchmarks/subtitles.py": "tests/framework/benchmarks/test_longvideobench.py",
    "framework/cli.py": "tests/framework/commands/test_cli.py",
    "framework/commands/entries/answering.py": "tests/framework/commands/entries/test_entries.py",
    "framework/commands/entries/measuring.py": "tests/framework/commands/entries/test_entries.py",
    "framework/commands/doctor.py": "tests/framework/commands/test_doctor_benchmark.py",
    "framework/commands/help.py": "tests/framework/commands/test_cli.py",
    "framework/commands/probe_layers.py": "tests/framework/commands/test_cli.py",
    "framework/core/backbone.py": "tests/framework/backbones/test_base.py",
    "framework/core/interfaces.py": "tests/framework/testing/test_contracts.py",
    "framework/core/outcome.py": "tests/framework/engine/test_ledger.py",
    "framework/core/view.py": "tests/framework/engine/test_session.py",
    "framework/engine/live.py": "tests/framework/engine/test_pipeline.py",
    "framework/engine/shown.py": "tests/framework/engine/test_pipeline.py",
    "framework/evaluation/results.py": "tests/framework/evaluation/test_runner.py",
    "framework/evaluation/tracker.py": "tests/framework/trackers/test_wandb.py",
    "framework/lab/queries.py": "tests/framework/lab/test_needles.py",
    "framework/lab/questions.py": "tests/framework/lab/test_needles.py",
    "framework/lab/scene.py": "tests/framework/lab/test_render.py",
    "framework/lab/training/clips.py": "tests/framework/lab/test_shipped.py",
    "framework/lab/training/vision.py": "tests/framework/lab/training/test_recipe.py",
    "framework/lab/world.py": "tests/framework/lab/test_render.py",
    "framework/profiling/passes.py": "tests/framework/profiling/test_engine.py",
    "framework/recording/file.py": "tests/framework/recording/test_format.py",
    "framework/recording/recording_session.py": "tests/framework/recording/test_replay_session.py",
    "framework/report/comparison_files.py": "tests/framework/report/test_comparison.py",
    "framework/report/comparison_picture.py": "tests/framework/report/test_comparison.py",
    "framework/report/picture.py": "tests/framework/report/test_report.py",
    "framework/report/terminal.py": "tests/framework/report/test_report.py",
    "framework/testing/toys.py": "tests/framework/testing/test_contracts.py",
    "framework/training/recipe.py": "tests/framework/training/test_main.py",
    "framework/training/video_features.py": "tests/strategies/learned/qtsplus/training/test_from_file.py",
    "framework/video/table.py": "tests/framework/video/test_packets.py",
    "framework/video/readers/decord.py": "tests/framework/video/readers/test_readers.py",
    "framework/video/readers/pyav.py": "tests/framework/video/readers/test_readers.py",
    "framework/video/readers/torchcodec.py": "tests/framework/video/readers/test_readers.py",
    "strategies/learned/autogaze/gaze/control.py": "tests/strategies/scorers/test_autogaze.py",
    "strategies/learned/autogaze/gaze/naive.py": "tests/strategies/learned/autogaze/gaze/test_decoding.py",
    "strategies/learned/autogaze/gaze/policy.py": "tests/strategies/learned/autogaze/gaze/test_forcing.py",
    f"{AUTOGAZE}/inspect/figures.py": f"tests/{AUTOGAZE}/inspect/test_report.py",
    f"{AUTOGAZE}/inspect/pictures.py": f"tests/{AUTOGAZE}/inspect/test_report.py",
    f"{AUTOGAZE}/reconstructor/config.py": f"tests/{AUTOGAZE}/reconstructor/test_model.py",
    f"{AUTOGAZE}/training/metrics.py": f"tests/{AUTOGAZE}/training/test_calibrate.py",
    "strategies/learned/qtsplus/official.py": "tests/strategies/learned/qtsplus/test_overlay.py",
    "strategies/learned/qtsplus/source.py": "tests/strategies/learned/qtsplus/test_overlay.py",
    f"{QTSPLUS}/training/batches.py": f"tests/{QTSPLUS}/training/test_module.py",
    f"{QTSPLUS}/training/from_needles.py": f"tests/{QTSPLUS}/training/test_evaluation.py",
    f"{QTSPLUS}/training/llm_pass.py": f"tests/{QTSPLUS}/training/test_module.py",
    f"{QTSPLUS}/training/recipe.py": f"tests/{QTSPLUS}/training/test_fit.py",
    "experiments/autogaze/judge.py": "tests/experiments/autogaze/test_main.py",
    "experiments/autogaze/measure.py": "tests/experiments/autogaze/test_main.py",
    "experiments/autogaze/needed.py": "tests/experiments/autogaze/test_main.py",
    "experiments/autogaze/oracles.py": "tests/experiments/autogaze/test_main.py",
    "experiments/autogaze/policies.py": "tests/experiments/autogaze/test_main.py",
    "experiments/autogaze/tables.py": "tests/experiments/test_documented.py",
    "experiments/gpu/models.py": "tests/experiments/gpu/test_timed.py",
    "experiments/qtsplus/encoded.py": "tests/experiments/qtsplus/test_cost.py",
    "experiments/qtsplus/model_costs.py": "tests/experiments/qtsplus/test_cost.py",
    "experiments/qtsplus/operations.py": "tests/experiments/qtsplus/test_cost.py",
}


def test_every_larger_module_has_a_test() -> None:
    lacking = []
    for folder in ("framework", "strategies", "experiments"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            module = str(file.relative_to(ROOT))
            large = len(file.read_text(encoding="utf-8").splitlines()) > LINES
            own = ROOT / "tests" / Path(module).with_name(f"test_{file.stem.strip('_')}.py")
            if large and not own.is_file() and module not in COVERED:
                lacking.append(module)
    assert not lacking, f"without a test of their stem, or a line in COVERED: {lacking}"


def test_the_list_is_true() -> None:
    for module, test in COVERED.items():
        assert (ROOT / module).is_file(), f"{module} is gone"
        own = ROOT / "tests" / Path(module).with_name(f"test_{Path(module).stem.strip('_')}.py")
        assert not own.is_file(), f"{module} has a test of its own now"
        text = (ROOT / test).read_text(encoding="utf-8")
        source = (ROOT / module).read_text(encoding="utf-8")
        public = re.findall(r"^(?:class|def) ([A-Za-z]\w{4,})", source, re.MULTILINE)
        stem = Path(module).stem
        known = {Path(module).parent.name if stem == "__init__" else stem.strip("_"), *public}
        assert known & set(re.findall(r"\w+", text.replace("-", "_"))), f"{test} names nothing of {module}"
