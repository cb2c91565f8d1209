"""How an order is worked, as arithmetic."""
