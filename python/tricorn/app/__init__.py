"""Applications: what is served, and programs that serve."""
