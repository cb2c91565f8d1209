"""What a user may say, and where it is read."""
