"""What a trained network gets right, and how sure it is of it."""

from mnist_trainer.scoring.scores import Scores, score

__all__ = ["Scores", "score"]
