"""Helpers of the mnist_edu notebooks: data, plots, exercises, and running the series.

Nothing is imported here: ``from mnist_edu import data`` costs what ``data`` needs, and no more.
"""

__version__ = "0.1.0"
