"""The task type `oracle`: PL/SQL blocks, SQL statements and scripts on a connection of oracle.json."""
