"""Models that leave home: each file writes one format, from the plan that all share.

Adding a format is one file and one entry in FORMATS; adding an activation or a kind of feature is
one entry in each file's own table, and a test names the files that lack it.
"""
