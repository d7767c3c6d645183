"""What a GPU makes of the framework: `python -m experiments.gpu`."""
