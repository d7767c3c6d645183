"""The multi-scale masked autoencoder that shows what a gaze has seen (AutoGaze, arXiv 2603.12254), as torch modules."""
