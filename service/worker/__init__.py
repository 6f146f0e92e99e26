"""The worker: an agent, and one process a job."""
