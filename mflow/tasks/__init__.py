"""The task types: how attempts of each are started, told to end, and judged. Run in workers."""
