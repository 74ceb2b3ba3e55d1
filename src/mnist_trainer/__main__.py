"""``python -m mnist_trainer`` is ``mnist-train``."""

from mnist_trainer.cli.train import main

if __name__ == "__main__":
    main()
