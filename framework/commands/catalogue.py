"""What `sieve` can do: one entry per sub-command, with all that its help says. Imports nothing heavy.

Commands of learned methods and of other packages are found by entry point.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from framework.config.groups import STRATEGIES

ENTRY_POINTS = "tokensieve.commands"
DEMO = "video=outputs/demo/5eca51c1fcebe7b417f8.mp4"  # what `make demo` renders; named by its content
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Flag:
    """Describes a command-line option of a plain command."""

    name: str  # --name VALUE, the value of the default's type
    default: str | int
    summary: str  # one line


@dataclass(frozen=True)
class Command:
    """Describes a sub-command: what it runs, and what its help says."""

    name: str
    target: str  # module:function, called with the composed configuration; of a plain command, with its words
    config: str  # conf/<config>.yaml; empty: a plain command, which Hydra has no part in
    summary: str  # one line
    text: str  # a paragraph or two
    examples: tuple[tuple[str, str], ...]  # command line, what it does
    groups: tuple[str, ...] = ()  # configuration groups that matter here
    texts: tuple[str, ...] = ()  # keys whose values are taken literally
    lists: tuple[str, ...] = ()  # keys that take a list of literal items
    flags: tuple[Flag, ...] = ()  # what a plain command takes beside its words
    before: str = ""  # module:function that turns the words as typed into those that are composed
    checked: bool = False  # builds the parts of its groups, which are checked before the target is imported


ASK = Command(
    name="ask",
    target="framework.commands.ask:run",
    config="ask",
    summary="answer questions about a video, and show how the answers came about",
    text="""Looks at the video group by group, keeps the tokens that matter and lets the backbone answer from those.
Prints the answer, how sure it is, what became of every group, the tokens kept of those seen, and the seconds per stage;
writes answer.json and answer.png into the run folder.

video=, question= and options= are taken literally, whatever characters they hold. options is a list; quote an item that
has a comma in it: options="['red, or blue', green]". Without options the question is open and is answered with
text.

Several questions, question=A question=B or questions=FILE, share one pass over the video. A line of FILE is
{"question": "...", "options": ["...", "..."], "id": "..."}; options= serves the lines that have none of their own.

The default backbone, lab, is a toy model. It knows made videos alone: `make demo` leaves one in outputs/demo, `sieve
eval preset=uniform benchmark=needle` eight in ~/.cache/tokensieve/needle. Films need a real one, such as
backbone=qwen2_5_vl_7b.""",
    examples=(
        (
            'sieve ask video=film.mp4 question="What\'s he doing?" options="[reading,cooking]" preset=adapttoken '
            "backbone=qwen2_5_vl_7b",
            "a film, AdaptToken on Qwen2.5-VL-7B",
        ),
        (
            f'sieve ask {DEMO} question="what color is the star ?" options="[yellow,black,red,green]" '
            "preset=adapttoken",
            "the video of `make demo`, the lab model",
        ),
        (
            f'sieve ask {DEMO} question="what color is the star ?" question="which shape is red ?" preset=adapttoken',
            "two open questions, one pass over the video",
        ),
        (
            "sieve ask video=film.mp4 questions=mine.jsonl preset=adapttoken_lite backbone=qwen2_5_vl_7b",
            "the questions of a file; stop as soon as they are certain",
        ),
        (
            f'sieve ask {DEMO} question="which shape is red ?" preset=adapttoken relevance=margin budget=64',
            "AdaptToken with two parts changed",
        ),
    ),
    groups=("preset", *STRATEGIES, "backbone", "input", "reader"),
    texts=("video", "question", "questions"),
    lists=("options",),
    before="framework.commands.asked:words",
)

EVAL = Command(
    name="eval",
    target="framework.commands.evaluate:run",
    config="eval",
    summary="run a preset over a benchmark; -m compares several",
    text="""Answers every question of the benchmark and writes questions.jsonl (one line per question, as soon as it is
answered), timings.jsonl and summary.json into the run folder. The folder is named after the configuration, so the same
command continues where it was interrupted, and another configuration never mixes with it.

-m runs every combination of comma-separated values and ends with one table.""",
    examples=(
        ("sieve eval preset=adapttoken benchmark=needle", "the lab's needle benchmark"),
        ("sieve eval preset=uniform benchmark.videos=40 benchmark.frames=1024 seed=1", "another size, another seed"),
        ("sieve eval -m preset=uniform,flexselect,adapttoken", "three presets, one table"),
        ("sieve eval -m preset=adapttoken relevance=entropy,margin,variance budget=16,32", "an ablation: six runs"),
        ("sieve eval ablation=relevance preset=adapttoken", "one that is kept as a file (conf/ablation)"),
        ("sieve eval -m preset=uniform,adapttoken launcher=submitit", "every run a SLURM job"),
        ("sieve eval preset=adapttoken tracker=wandb", "mirrored to Weights & Biases"),
        (
            "sieve eval preset=adapttoken benchmark=videomme benchmark.root=FOLDER",
            "a published benchmark",
        ),
        ("sieve eval preset=adapttoken world.devices=4", "one process per GPU"),
    ),
    groups=(
        "preset",
        "ablation",
        *STRATEGIES,
        "backbone",
        "input",
        "reader",
        "benchmark",
        "tracker",
        "launcher",
        "debug",
    ),
    texts=("benchmark.root", "benchmark.file"),
    checked=True,
)

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

DOCTOR = Command(
    name="doctor",
    target="framework.commands.doctor:run",
    config="doctor",
    summary="what this machine has; with backbone= or benchmark=, what of one is there",
    text="""Checks what the framework stands on and says what is missing: exit status 1 if anything needed is.

With backbone= it says whether the weights are on this machine, as a folder or in the Hub's cache. It asks no network
and loads none. Exit status 1 if they are not.

With benchmark= it reads the annotations, opens every video with the chosen reader, and lists missing videos, those that
cannot be read, rows that cannot be asked, and how many videos and questions an evaluation would cover, in all and per
part of the benchmark. Exit status 1 if it would cover nothing. Nothing is written, unless report=FILE asks for a JSON
file with all names.""",
    examples=(
        ("sieve doctor", "versions, readers, devices, attention kernels, free space"),
        ("sieve doctor backbone=qwen2_5_vl_7b", "whether the weights are here"),
        ("sieve doctor benchmark=mvbench benchmark.root=~/data/MVBench", "what is there of MVBench"),
        ("sieve doctor benchmark=jsonl benchmark.file=mine.jsonl report=missing.json", "all names, in a file"),
    ),
    groups=("backbone", "benchmark", "reader"),
    texts=("benchmark.root", "benchmark.file", "report"),
)

REPLAY = Command(
    name="replay",
    target="framework.commands.replay:run",
    config="replay",
    summary="a recorded run with other choices, without looking at the videos again",
    text="""Takes the folder of a run made with record=true and answers its questions again from the recorded probes:
no video is read, no group passes through the model; only the final answer does. The configuration is that of the
recorded run, with what is typed on top: relevance, allocator, refiner, stopping, scheduler, answerer, a smaller budget.
What made the probes (splitter, scorer, backbone, frames, benchmark) has to stay.

Writes an ordinary run folder, which `sieve compare` takes. A recording made with stopping=never holds every group.""",
    examples=(
        ("sieve eval preset=adapttoken record=true", "look once, and keep the probes"),
        ("sieve replay recording=outputs/needle/0f3a preset=adapttoken_lite", "the same probes, stopping early"),
        (
            "sieve replay recording=outputs/needle/0f3a -m relevance=entropy,margin allocator.temperature=0.1,0.5,2",
            "six runs, one table",
        ),
    ),
    groups=("preset", *STRATEGIES, "backbone", "input", "benchmark", "tracker"),
    texts=("recording.folder",),
    before="framework.recording.origin:words",
    checked=True,
)

COMPARE = Command(
    name="compare",
    target="framework.commands.compare:run",
    config="",
    summary="which differences between runs are real",
    text="""Takes run folders of `sieve eval`, folders that hold such folders (a sweep), or patterns; NAME=FOLDER names
a run. Compares every run with the reference, question by question, over the questions that all runs of
a benchmark have answered: the paired difference with its 95 % interval (bootstrap over videos), p by sign flips of
whole videos, corrected by Holm over all comparisons, McNemar's p beside it, the smallest difference that the sample
could show, who was right where the other was wrong, and the cost; the same for every stratum of the benchmark; how well
each relevance signal tells right from wrong answers; how well calibrated the answer's probability is.

Prints tables and writes comparison.md, .csv and .png, strata.csv, signals.csv, calibration.csv and differences.csv.""",
    examples=(
        ("sieve compare outputs/needle", "every run of a folder; the first is the reference"),
        ("sieve compare outputs/needle/* --reference uniform", "the differences to the run of preset uniform"),
        ("sieve compare ours=outputs/lvbench/0f3a theirs=outputs/lvbench/77e1", "two runs, named"),
    ),
    flags=(
        Flag("--reference", "", "name, id or folder of the run that all others are compared with; default: the first"),
        Flag("--out", "", "folder to write into; default: outputs/compare/<hash of the runs>"),
        Flag("--resamples", 10_000, "bootstrap resamples and sign flips"),
        Flag("--seed", 0, "of resampling: the same seed, the same figures"),
    ),
)

SHOW = Command(
    name="show",
    target="framework.commands.show:run",
    config="",
    summary="one question of a run: what was seen, what was kept, why it was answered so",
    text="""Takes a run folder of `sieve eval` or `sieve replay` and the id of a question, as questions.jsonl has it.
Prints the question, its options with their probabilities, the answer, the right answer, and relevance and kept tokens
of every group; draws them as a picture.

Where the run recorded its probes (record=true), the question is answered again from them: no group passes through the
model. Then the picture also has seconds, the evidence where it is known, and, where the video is there, the frames
with what was kept of them. That loads the model; --frames 0 does without.""",
    examples=(
        ("sieve show outputs/needle/0f3a attribute-1024-0-0000-2", "writes show-<question>.png into the run folder"),
        ("sieve show outputs/needle/0f3a attribute-1024-0-0000-2 --out why.pdf", "as a PDF, elsewhere"),
        ("sieve show outputs/lvbench/77e1 4242 --frames 0", "from the line alone, without model and video"),
    ),
    flags=(
        Flag("--out", "", "file to write: .png, .pdf or .svg; default: show-<question>.png in the run folder"),
        Flag("--frames", 8, "most frames to show; 0: none"),
    ),
)

BENCH = Command(
    name="bench",
    target="framework.commands.bench:run",
    config="bench",
    summary="what something costs on this machine",
    text="""Measures what= names, all arms in turn inside one process, and prints one table; writes bench.csv and
bench.json into `folder`. Ratios are taken within a round, so a busy machine blurs them and does not bend them.

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
    ),
    groups=("what",),
)

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
    groups=("preset", *STRATEGIES, "backbone", "reader", "benchmark"),
    before="framework.commands.threshold:words",
)

OURS = (ASK, EVAL, REPLAY, COMPARE, THRESHOLD, SHOW, TRAIN, PROBE_LAYERS, BENCH, DOCTOR)


@cache
def commands() -> dict[str, Command]:
    """Returns name -> sub-command: ours, then those of installed packages.

    A package adds one with a line `name = "package.module:COMMAND"` below
    `[project.entry-points."tokensieve.commands"]`. One that cannot be imported, is no `Command`, or has the name of
    another is left out, with one warning that names the package.
    """
    found = {command.name: command for command in OURS}
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name):
        try:
            command = point.load()
        except Exception as error:
            _log.warning("%s: its command %r is left out, %s cannot be imported (%s)", *_of(point), point.value, error)
            continue
        if not isinstance(command, Command):
            _log.warning("%s: its command %r is left out, %s is no Command", *_of(point), point.value)
        elif command.name in found:
            _log.warning("%s: its command %r is left out, there is one of that name", *_of(point))
        else:
            found[command.name] = command
    return found


def _of(point: EntryPoint) -> tuple[str, str]:
    """The package and the name of an entry point, for messages."""
    return (point.dist.name if point.dist is not None else "a package", point.name)
