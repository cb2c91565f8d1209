"""What every feature must hold, proved on a market made up for it."""
