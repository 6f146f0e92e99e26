"""The service: HTTP, jobs, workers and what they share."""
