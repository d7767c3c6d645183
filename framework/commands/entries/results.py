"""The sub-commands that read what runs left: compared, or one question again. Imports nothing heavy."""

from __future__ import annotations

from framework.commands.command import Command, Flag

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
