"""Adapters around multimodal LLM families: stock `transformers` models behind the `Backbone` interface."""
