"""What is proposed for a word that is no setting."""

import pytest

from mnist_trainer.config.instantiate import locate
from mnist_trainer.errors import ConfigError
from tests.conftest import Compose


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("epochs=5", "Did you mean trainer.epochs=5?"),
        ("epoch=5", "Did you mean trainer.epochs=5?"),
        ("+epochs=5", "Did you mean trainer.epochs=5?"),
        ("lr=0.1", "Did you mean optimizer.lr=0.1?"),
        ("learning_rate=0.1", "Did you mean optimizer.lr=0.1?"),
        ("batch_size=32", "Did you mean trainer.batch_size=32?"),
        ("patience=3", "Did you mean trainer.patience=3?"),
        ("hidden=[10]", "Did you mean model.hidden=[10]?"),
        ("dropout=0.5", "Did you mean model.dropout=0.5?"),
        ("gamma=2", "Did you mean loss.gamma=2 or scheduler.gamma=2?"),
        *((f"{group}.lr=0.1", "Did you mean optimizer.lr=0.1?") for group in
          ("model", "trainer", "scheduler", "loss", "data", "device", "tracker")),
        ("trainer.seed=1", "Did you mean seed=1?"),
        ("trainer.epoch=5", "Did you mean trainer.epochs?"),
        ("model.batch_norm=true", "It belongs to model=convnet."),
        ("device=gpu", "Did you mean cuda?"),
        ("model=CNN", "Did you mean cnn?"),
        ("model=resnet", "no such model. Valid: cnn, convnet"),
        ("help", "mnist-train --help"),
        ("train", "Leave it out"),
        ("eval", "mnist-eval"),
        ("latest", "Did you mean resume=latest?"),
        ("cnn", "Did you mean model=cnn?"),
        ("--epochs 5", "Did you mean trainer.epochs=5?"),
        ("--lr=0.1", "Did you mean optimizer.lr=0.1?"),
        ("--batch-size 32", "Did you mean trainer.batch_size=32?"),
        ("--resume latest", "Did you mean resume=latest?"),
        ("--model cnn", "Did you mean model=cnn?"),
        ("--explan", "Did you mean --explain?"),
        ("+optimizer.maximise=true", "optimizer.maximise is not a setting"),
        ("+optimizer.params=[1]", "optimizer.params is not a setting"),
        ("+model.num_classes=3", "model.num_classes is not a setting"),
        ("+optimizer.defaults={_target_:os.system}", "not on the list"),
        ("+optimizer._args_=[1]", "optimizer._args_ is not a setting"),
        ("optimizer=adam +optimizer.nesterov=true", "optimizer.nesterov is not a setting"),
    ],
)  # fmt: skip
def test_the_setting_that_is_meant_is_proposed(words: str, said: str, compose: Compose) -> None:
    with pytest.raises(ConfigError) as refused:
        compose(*words.split())
    assert said in str(refused.value)
    assert len(str(refused.value).splitlines()) <= 10


def test_an_argument_of_the_class_itself_is_a_setting(compose: Compose) -> None:
    assert compose("+optimizer.maximize=true").optimizer.options["maximize"] is True


def test_a_trusted_package_that_is_not_found_says_how(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MNIST_TRAINER_TRUST", "nets_of_nobody")
    with pytest.raises(ConfigError, match=r"PYTHONPATH=\. MNIST_TRAINER_TRUST=nets_of_nobody"):
        locate("nets_of_nobody.Net", "model._target_")
