"""Batch predictions: a model over a whole data set, as a job with a file at its end."""
