"""The arithmetic itself: compiled, one function per primitive operator; cross-sections in NumPy."""
