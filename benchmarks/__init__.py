"""What every number in docs/speed.md comes from: ``python -m benchmarks``."""
