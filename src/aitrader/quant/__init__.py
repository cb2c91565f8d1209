"""Formulas, each once, each with its reference."""
