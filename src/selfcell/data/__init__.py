"""From a pinned source to a checked table of cells."""
