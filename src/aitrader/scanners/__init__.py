"""What deserves attention today, and why."""
