"""The tests are a package, lest another one of this name on the path be taken for it."""
