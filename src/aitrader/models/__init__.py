"""Kinds of model behind one protocol."""
