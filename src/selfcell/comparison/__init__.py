"""The study on a reader's own cells: is the file fit, what is run, and what came out."""
