"""Token scorers: rank the tokens inside a group, higher = keep. One idea per file."""
