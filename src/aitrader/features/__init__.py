"""What is known at decision time."""
