"""The sub-commands of `sieve`: one module each, and a catalogue that describes them without importing them."""
