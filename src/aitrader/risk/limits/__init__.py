"""Pre-trade limits, one family a module."""
