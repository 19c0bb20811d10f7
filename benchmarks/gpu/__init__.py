"""`python -m benchmarks.gpu --out FILE`: what a GPU is measured by, in one run of a few minutes, without a network."""
