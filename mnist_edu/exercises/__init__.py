"""The checkers of the exercises, one module a notebook."""
