"""Everything kept as files."""
