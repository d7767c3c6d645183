"""What `sieve gaze` is, for the help and for whoever runs it. Imports nothing heavy."""

from __future__ import annotations

from framework.commands.command import Command

GAZE = Command(
    name="gaze",
    target="strategies.learned.autogaze.inspect.command:run",
    config="gaze",
    summary="what a trained gaze keeps of a video, and how well that shows it",
    text="""Reads the video clip by clip, lets the gaze pick patches at several scales until the frame is good enough,
and rebuilds the frames from these. One of epsilon=, loss_threshold= and budget= says when enough is seen. Prints the
patches kept per scale, how many times fewer they are than without a gaze, the predicted and the true error relative to
keeping nothing, and whether the true one met epsilon.

Writes gaze.png (some frames: as they are, what was picked, what is rebuilt), error.png and frames.csv (picks and error
of every frame), gaze.json, gaze.mp4 and a picture of every frame. gaze.checkpoint= and reconstructor.checkpoint= choose
the weights; docs/autogaze.md has more.""",
    examples=(
        ("sieve gaze video=film.mp4 epsilon=0.3", "up to 30 % of the error of keeping nothing"),
        ("sieve gaze video=film.mp4 epsilon=0.3 start=60 fps=4 frames=128", "half a minute from the second minute on"),
        ("sieve gaze video=film.mp4 budget=0.05 tiles=2x3", "a twentieth of all patches of each tile, six tiles"),
        (
            "sieve gaze video=film.mp4 epsilon=0.3 gaze.checkpoint=outputs/train/autogaze_grpo/checkpoint "
            "reconstructor.checkpoint=outputs/train/autogaze_reconstructor/checkpoint",
            "weights of your own",
        ),
    ),
    groups=("reader",),
    texts=("video", "gaze.checkpoint", "reconstructor.checkpoint"),
)
