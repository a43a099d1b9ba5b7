"""Benchmarks of dermfeat; those of data sets are scripts, `benchmarks.compare` is a package of its own."""
