"""Experiments: many networks on the same rows, and which of them is best."""
