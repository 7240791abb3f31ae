"""Makes `score_factory` of the statistics' tests importable, and draws without a screen."""

import sys
from pathlib import Path

import matplotlib

sys.path.insert(0, str(Path(__file__).parents[1] / "stats"))
matplotlib.use("Agg")
