"""What ``mnist-export`` says of the network that it writes."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mnist_trainer.cli.export import views_note


@pytest.mark.parametrize(("views", "told"), [(1, 0), (3, 1)])
def test_that_one_view_scores_less_is_said(views: int, told: int) -> None:
    config = SimpleNamespace(trainer=SimpleNamespace(translations=views))
    trained: Any = SimpleNamespace(config=config, folder=Path("my run"))
    rows = views_note(trained)
    assert len(rows) == told
    assert all("averaged 3" in text and "mnist-eval 'my run'" in text for _, text in rows)
