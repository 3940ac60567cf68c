"""Sequences to logits: one head or branch a file."""
