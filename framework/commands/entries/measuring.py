"""The sub-commands that measure: thresholds, layers, costs, and what this machine has. Imports nothing heavy."""

from __future__ import annotations

from framework.commands.command import Command
from framework.config.groups import STRATEGIES

THRESHOLD = Command(
    name="threshold",
    target="framework.commands.threshold:run",
    config="threshold",
    summary="how faint needles may be before a preset misses them",
    text="""Answers the questions of a needle benchmark at several opacities of the needles, with several presets on the
same videos, and fits a curve to each preset. The threshold is the opacity at which a preset is right half-way between
chance and 1: lower is better, and no preset is at a ceiling. Ratios are to the first preset, paired over videos. A
preset that is right, or wrong, on the whole scale has a threshold below, or above it.

Each run lies in the folder that `sieve eval` would use, so the same command goes on where it was interrupted. Prints
thresholds, accuracy at each opacity, evidence kept and operations per question; writes threshold.md, thresholds.csv,
accuracy.csv and threshold.png into outputs/threshold.""",
    examples=(
        ("sieve threshold preset=uniform,adapttoken", "two presets on 8 opacities, 8 videos of 1,024 frames"),
        ("sieve threshold preset=flexselect,adapttoken benchmark.frames=256 budget=16 'seeds=[1,2]'", "other sizes"),
        ("sieve threshold preset=uniform,random 'opacities=[0.1,0.3,1.0]' benchmark.videos=2", "a quick look"),
    ),
    groups=("preset", *STRATEGIES, "backbone", "prober", "reader", "benchmark"),
    before="framework.commands.threshold:words",
)

PROBE_LAYERS = Command(
    name="probe-layers",
    target="framework.commands.probe_layers:run",
    config="probe_layers",
    summary="find the layer whose attention points at the evidence (backbone.reference_layer)",
    text="""Takes short made videos with needles whose place is known, probes the backbone with attention captured in
every layer, and counts how many of the most attended tokens lie on the needle. Prints a table, writes profile.json and
profile.png, and names the layer to set. Worth running once for every new backbone.""",
    examples=(
        ("sieve probe-layers backbone=lab", "the lab model"),
        ("sieve probe-layers backbone.adapter.checkpoint=PATH benchmark.videos=50", "a model of your own, more videos"),
    ),
    groups=("backbone", "benchmark", "reader"),
    checked=True,
)

BENCH = Command(
    name="bench",
    target="framework.commands.bench:run",
    config="bench",
    summary="what something costs on this machine",
    text="""Measures what= names, all arms in turn inside one process, and prints one table; writes bench.csv and
bench.json into `folder`. Ratios are taken within a round, so a busy machine blurs them and does not bend them.

what=engine, host, decode, memory, scaling: what the engine costs beside the model (docs/performance.md). engine:
answers against the passes they cannot do without, for 1, 3 and 15 questions. host: milliseconds of the main thread by
place, without a network. decode: how long frames take to come, and how long a consumer waits for them. memory: peaks at
several lengths. scaling: how seconds grow with frames, groups and questions.

what=fit: megabytes that `sieve doctor` predicts, beside the peak of processes that run it (docs/backbones.md).

what=tower: vision towers with random weights on all patches, against the same towers on the kept ones (what.towers,
what.sizes, what.shares, what.frames, what.layers, what.rounds, what.mask, what.device, what.dtype). Columns: patch rows
that enter the first layer, seconds, processor's seconds, and x: how many times more the whole tower has of each.

what=gaze: the same with a gaze of the published size choosing what is kept, and the language model that reads it
(what.llm_layers, what.text, what.tiles; the others as above). Columns: patches and tokens that enter; processor's
seconds of the stages and seconds of all of them, as run; vision (gaze and tower) and all: the same with all layers,
computed from those that ran; x: how many times more that is without a gaze, s x by the clock.""",
    examples=(
        ("sieve bench what=tower", "two towers, three sizes, five shares, eight layers: minutes on a processor"),
        ("sieve bench what=tower 'what.towers=[siglip_base]' 'what.sizes=[224]' what.rounds=2", "seconds"),
        ("sieve bench what=tower what.layers=null what.frames=16 what.device=cuda what.dtype=bfloat16", "whole towers"),
        ("sieve bench what=gaze 'what.sizes=[224]' threads=1", "whether a gaze pays at 224 pixels"),
        ("sieve bench what=engine 'what.questions=[1,3]' threads=1", "the pipeline beside the bare passes"),
        ("sieve bench what=fit 'what.presets=[uniform]' threads=1", "predicted memory beside measured"),
        ("sieve bench what=decode 'what.heights=[720]' what.seconds=20", "one film of 20 seconds"),
    ),
    groups=("what",),
)

DOCTOR = Command(
    name="doctor",
    target="framework.commands.doctor:run",
    config="doctor",
    summary="what this machine has; with backbone=, prober= or benchmark=, what of one is there",
    text="""Checks what the framework stands on and says what is missing: exit status 1 if anything needed is.

With backbone= or prober= it says whether the weights are on this machine, as a folder or in the Hub's cache, and
whether the two can work together. It asks no network and loads none. Exit status 1 if they are not. With frames=,
budget=, preset=, device.* or film.* it also says what such a run needs of memory, whether that fits, what would help,
and what to know of the family; the weights need not be here. Exit status 1 if it does not fit.

With benchmark= it reads the annotations, opens every video with the chosen reader, and lists missing videos, those that
cannot be read, rows that cannot be asked, and how many videos and questions an evaluation would cover, in all and per
part of the benchmark. Exit status 1 if it would cover nothing. Nothing is written, unless report=FILE asks for a JSON
file with all names.""",
    examples=(
        ("sieve doctor", "versions, readers, devices, attention kernels, free space"),
        ("sieve doctor backbone=qwen2_5_vl_7b", "whether the weights are here"),
        (
            "sieve doctor backbone=qwen3_vl_8b frames=4096 device.memory=24",
            "whether it fits",
        ),
        ("sieve doctor benchmark=mvbench benchmark.root=~/data/MVBench", "what is there of MVBench"),
        ("sieve doctor benchmark=jsonl benchmark.file=mine.jsonl report=missing.json", "all names, in a file"),
    ),
    groups=("backbone", "prober", "preset", "benchmark", "reader"),
    texts=("benchmark.root", "benchmark.file", "report"),
)
