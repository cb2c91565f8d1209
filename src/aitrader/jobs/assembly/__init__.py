"""Configuration turned into parts."""
