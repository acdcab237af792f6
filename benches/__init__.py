"""Measured comparisons with other servers: ``make bench``."""
