"""From labels to a model that earned promotion."""
