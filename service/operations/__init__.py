"""For those who run the service."""
