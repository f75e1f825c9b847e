"""Benchmarks: one file per question, each with ours, a baseline and, where there is one, the limit, in one run."""
