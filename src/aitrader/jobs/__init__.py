"""One function per command: load, compute, store, report."""
