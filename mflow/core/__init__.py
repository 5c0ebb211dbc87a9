"""The pure core: values, rules and decisions. No clock, process, file or database is touched from here."""
