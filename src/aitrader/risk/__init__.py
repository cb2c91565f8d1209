"""What is forbidden, and how much is at stake."""
