"""prober=NAME on the command line: what is shown, written and refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from tests.fixtures.command_line import sieve

MADE = ("benchmark.videos=1", "benchmark.frames=64", "benchmark.questions=2", "progress=false")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_eval_says_what_each_model_cost(here: Path) -> None:
    ran = sieve("eval", "preset=adapttoken", "prober=lab", *MADE, f"benchmark.folder={here / 'films'}")
    assert ran.status == 0, ran.err
    (run,) = [file.parent for file in (here / "outputs").rglob("summary.json")]
    apart = json.loads((run / "summary.json").read_text())["operations"]
    assert apart["total"] == apart["prober"] + apart["backbone"] > apart["prober"] > apart["backbone"] > 0
    timings = [json.loads(line) for line in (run / "timings.jsonl").read_text().splitlines()]
    assert all(line["flops"] == pytest.approx(sum(line["flops_by_model"].values())) for line in timings)
    assert f"operations      prober {apart['prober']:.3g}, backbone {apart['backbone']:.3g}, total" in ran.out
    assert OmegaConf.load(run / "config.yaml").prober.adapter.checkpoint == "asset:lab"
    assert json.loads((run / "run.json").read_text())["overrides"][1] == "prober=lab"


def test_what_cannot_work_leaves_one_sentence_and_no_run(here: Path) -> None:
    for words, said in (
        (("preset=vote", "prober=lab"), "answerer: Vote answers from the probes of groups"),
        (("preset=adapttoken", "prober=lab", "record=true"), "record=true keeps what one model saw"),
        (("preset=adapttoken", "prober=labb"), "prober=labb: prober has no option 'labb'"),
        (("preset=adapttoken", "offload=true"), "offload=true lets prober and backbone take turns"),
    ):
        ran = sieve("eval", *words, *MADE)
        assert ran.status == 2 and len(ran.err.strip().splitlines()) == 1 and said in ran.err


def test_doctor_looks_for_the_weights_of_both(here: Path) -> None:
    ran = sieve("doctor", "backbone=lab", "prober=lab")
    assert ran.status == 0 and ran.out.count("asset:lab: all weights are here") == 2
    lost = sieve("doctor", "backbone=lab", "prober=lab", "prober.adapter.checkpoint=/nowhere")
    assert lost.status == 1 and "prober.adapter.checkpoint: no folder '/nowhere'" in lost.out


def test_help_knows_the_group() -> None:
    listed = sieve("eval", "--help").out
    assert "prober" in listed and "offload" in listed
    told = sieve("eval", "--help", "prober=qwen2_5_vl_3b").out
    assert "prober.reference_layer" in told and "prober.adapter.checkpoint" in told
