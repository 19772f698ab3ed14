"""Readers of the layouts in which public data sets come."""
