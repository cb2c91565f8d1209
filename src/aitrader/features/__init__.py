"""What is known at decision time, as expressions over the panel."""
