"""The sub-commands of `sieve`: one module each; `catalogue` and `entries` describe them without importing them."""
