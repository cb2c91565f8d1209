"""The loop over the present."""
