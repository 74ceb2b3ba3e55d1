"""Config-driven MNIST training: quick, exact, honest and offline."""

__version__ = "0.1.0"
