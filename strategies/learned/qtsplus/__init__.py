"""QTSplus (arXiv 2511.11910): a query-aware selector between the vision tower and the language model."""
