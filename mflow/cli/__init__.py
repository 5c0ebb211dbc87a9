"""The command line: one module per command, one error boundary; it renders, it never decides."""
