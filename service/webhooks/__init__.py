"""Webhooks: telling others that a job has ended."""
