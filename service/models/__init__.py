"""Models: what training gave."""
