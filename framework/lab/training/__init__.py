"""How the lab model is trained: clips, questions, batches, losses and the recipe."""
