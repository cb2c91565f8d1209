"""The append-only record of trading."""
