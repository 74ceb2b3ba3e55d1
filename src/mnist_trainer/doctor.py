"""Check what a run needs on this machine: python -m mnist_trainer.doctor"""

from mnist_trainer.cli.doctor import main

if __name__ == "__main__":
    main()
