"""Jobs: training, queued and watched."""
