"""mflow runs a graph of operating-system tasks, keeps their state in a database, and can always be resumed."""

__version__ = "0.1.0"
