"""How a selector is trained on top of a backbone, alone or with its language model."""
