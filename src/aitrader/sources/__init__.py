"""The outside world's data, one vendor a file."""
