"""What AdaptToken finds, on the lab model: accuracy, budgets, entropy, early stopping."""
