"""A market view turned into target weights."""
