"""Helpers of the mnist_edu notebooks: data, plots, exercises, and running the series.

Nothing is imported here: ``from mnist_edu import data`` costs what ``data`` needs, and no more.
TensorFlow, where it is imported afterwards, keeps its log out of the cells.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

__version__ = "0.2.0"
