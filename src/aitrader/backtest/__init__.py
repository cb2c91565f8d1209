"""The loop over the past."""
