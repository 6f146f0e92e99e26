"""Data sets: tables that somebody sent."""
