"""The functions that take one lifecycle step each, and what they stand on."""
