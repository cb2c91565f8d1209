"""Weights into sizes and trades."""
