"""mflow runs a graph of tasks, keeps their state in a database, and can always be resumed."""

__version__ = "0.1.0"
