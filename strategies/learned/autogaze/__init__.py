"""AutoGaze (arXiv 2603.12254): which patches of a video, at which scale, are enough to rebuild it."""
