"""What AdaptToken's certainty knows, on the lab model: entropy of answers and of groups."""
