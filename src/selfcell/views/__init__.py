"""Augmented views of a cell, for joint-embedding methods."""
