"""Accounts that take orders."""
