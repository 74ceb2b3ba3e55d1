"""Claims of the literature about MNIST, tested with this package's own runs."""
