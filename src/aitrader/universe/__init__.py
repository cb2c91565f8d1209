"""Which symbols existed and qualified."""
