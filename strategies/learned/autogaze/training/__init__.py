"""How a gaze is trained: reconstructor, labels, next-pick prediction, reinforcement."""
