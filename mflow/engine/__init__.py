"""The engine: one supervisor loop, the workers it drives, and the processes these run."""
