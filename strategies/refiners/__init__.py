"""Token refiners: turn the over-selected candidates into the selection. One idea per file."""
