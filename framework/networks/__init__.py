"""Torch modules and functions that strategies, backbones and training share; they know torch and transformers alone."""
