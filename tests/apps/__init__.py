"""Applications that the tests serve."""
