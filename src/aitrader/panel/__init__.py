"""Fast arithmetic on many series at once."""
