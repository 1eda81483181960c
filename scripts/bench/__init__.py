"""Benchmarks: ratios to a bare baseline that ran beside it, never bare figures.

`make bench` prints them; the budgets are in docs/benchmarks.md.
"""
