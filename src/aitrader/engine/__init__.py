"""One decision, and the loop that repeats it."""
