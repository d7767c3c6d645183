"""Pure functions and modules on tensors: certainty, shares, similarity, greedy choice. Imports `core` and libraries."""
