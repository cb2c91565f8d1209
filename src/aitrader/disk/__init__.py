"""What files must survive: replaced in one step, synced to the platter, locked against a second process."""
