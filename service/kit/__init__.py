"""What every slice shares."""
