"""``mnist-train --explain``: a page in place of a run, as the documentation shows it."""

import re
from pathlib import Path

import pytest

from tests.integration.conftest import QUICK, Command

PAGE = Path(__file__).parents[2] / "docs" / "explain.md"
EXAMPLES = re.findall(
    r"^```console\n\$ mnist-train (.+)\n((?:.*\n)*?)```$",
    PAGE.read_text(encoding="utf-8"),
    re.MULTILINE,
)


@pytest.mark.parametrize(("typed", "shown"), EXAMPLES, ids=[typed for typed, _ in EXAMPLES])
def test_the_page_of_the_documentation_is_what_is_printed(
    typed: str, shown: str, mnist_train: Command, tmp_path: Path
) -> None:
    ended = mnist_train(
        *typed.split(), COLUMNS="80", LC_ALL="C", PYTHONUTF8="0", PYTHONIOENCODING="ascii:strict"
    )
    assert ended.code == 0, ended.err
    assert ended.out == shown
    assert max(map(len, ended.out.splitlines())) <= 80
    assert not list(tmp_path.iterdir()), "an explanation leaves nothing behind"


def test_both_examples_were_found() -> None:
    assert [typed for typed, _ in EXAMPLES] == [
        "model=cnn --explain",
        "model=two_layer --explain=backward",
    ]


def test_a_model_that_does_not_fit_is_refused_alike_by_explanation_and_training(
    mnist_train: Command, tmp_path: Path
) -> None:
    groups = tmp_path / "mine" / "model"
    groups.mkdir(parents=True)
    (groups / "wrong.yaml").write_text(
        "_target_: torch.nn.Sequential\n_args_: [{_target_: torch.nn.Flatten},"
        " {_target_: torch.nn.Linear, in_features: 100, out_features: 10}]\n"
    )
    words = ["--config-dir", str(tmp_path / "mine"), "model=wrong"]
    said = []
    for more in (["--explain"], [*QUICK]):
        ended = mnist_train(*words, *more)
        assert ended.code == 2, ended.err
        said.append(ended.err)
    assert said[0] == said[1]
    assert "1 (Linear)" in said[0]
    assert "in_features is 100, and 784 numbers come" in said[0]
    assert not [path for path in (tmp_path / "outputs").glob("2*/*") if path.is_dir()]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--explain=bckward"], "layers, backward. Did you mean backward?"),
        (["--explain="], "must be one of: layers, backward"),
        (["--explian"], "Did you mean --explain?"),
        (["-m", "seed=0,1", "--explain"], "exclude each other"),
        (["--cfg", "job", "--explain"], "exclude each other"),
        (["--explain", "model=lenet6"], "Did you mean lenet5?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_mistakes(words: list[str], said: str, mnist_train: Command, tmp_path: Path) -> None:
    ended = mnist_train(*words, PYTHONPROFILEIMPORTTIME="1")
    lines = [line for line in ended.err.splitlines() if not line.startswith("import time:")]
    assert ended.code == 2
    assert said in "\n".join(lines)
    assert "Traceback" not in ended.err
    assert not re.search(r"\| +torch$", ended.err, re.MULTILINE), "answered only after torch"
    assert not list(tmp_path.iterdir())
