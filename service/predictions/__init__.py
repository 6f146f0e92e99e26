"""Predictions: asking a model."""
