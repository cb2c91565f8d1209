"""Market data to guarded orders, one shell command per step."""
