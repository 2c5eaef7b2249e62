"""Figures, each beside a baseline of the same run: `python -m benchmarks` in a checkout with the package installed."""
