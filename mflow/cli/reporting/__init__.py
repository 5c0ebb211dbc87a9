"""Showing a run while it is driven: a live view in a terminal, plain lines everywhere else."""
