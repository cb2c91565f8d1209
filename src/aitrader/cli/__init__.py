"""The terminal: parse, call one job, show."""
