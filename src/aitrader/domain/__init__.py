"""The words that every other package speaks."""
