"""Retention: what is old goes, in small steps that may be cut off anywhere."""
