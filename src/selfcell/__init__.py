"""selfcell: when does self-supervised pre-training help in single-cell genomics?"""

__version__ = "0.1.0"
