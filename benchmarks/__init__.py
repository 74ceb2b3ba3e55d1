"""What every number about speed in the README comes from: ``python -m benchmarks``."""
