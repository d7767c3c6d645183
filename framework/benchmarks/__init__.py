"""One small file per benchmark: rows -> (video, questions), prompt, answer extraction, score."""
