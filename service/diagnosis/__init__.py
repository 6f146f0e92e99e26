"""What is wrong with a run, what mends it, and whether it did; and a look inside networks."""
