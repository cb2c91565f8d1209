"""The arithmetic itself: NumPy on blocks of symbols, one function per primitive operator."""
