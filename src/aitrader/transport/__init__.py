"""One strict way to speak HTTP."""
