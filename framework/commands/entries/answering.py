"""The sub-commands that answer: about one video, over a benchmark, from a recording. Imports nothing heavy."""

from __future__ import annotations

from framework.commands.command import Command
from framework.config.groups import STRATEGIES

DEMO = "video=outputs/demo/5eca51c1fcebe7b417f8.mp4"  # what `make demo` renders; named by its content

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

With prober=NAME, a backbone too, that model looks at the groups, and backbone= only answers from what it kept.

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
    groups=("preset", *STRATEGIES, "backbone", "prober", "input", "reader"),
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
        (
            "sieve eval -m preset=adapttoken backbone=qwen2_5_vl_7b prober=none,qwen2_5_vl_3b",
            "the 7B alone, and the 3B looking for it",
        ),
    ),
    groups=(
        "preset",
        "ablation",
        *STRATEGIES,
        "backbone",
        "prober",
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
