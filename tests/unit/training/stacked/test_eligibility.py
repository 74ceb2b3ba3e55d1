"""What cannot train in a stack is refused by name; what differs in little enough is one stack."""

import pytest

from mnist_trainer.errors import ConfigError
from mnist_trainer.training.stacked.eligibility import require_stackable, stack_key
from tests.unit.training.stacked.conftest import settings


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("model=convnet model.batch_norm=true", "model.batch_norm=true"),
        ("model._target_=torch.nn.Identity", "model._target_=torch.nn.Identity"),
        ("optimizer=muon", "optimizer=muon"),
        ("optimizer=adadelta", "optimizer=adadelta"),
        ("+optimizer.maximize=true", "optimizer.maximize"),
        ("loss=distill", "loss=distill"),
        ("+loss.reduction=sum", "loss=cross_entropy"),
        ("model=fcn trainer.engine=manual", "trainer.engine=manual"),
        ("trainer.adversary.epsilon=0.1", "trainer.adversary.epsilon"),
        ("data.loader=dataloader", "data.loader=dataloader"),
        ("device=mps", "device=mps"),
        ("device.precision=bf16", "device.precision=bf16"),
        ("device=cuda", "device.precision=auto on device=cuda"),
        ("device.graph=true", "device.graph=true"),
        ("debug=profile", "tracker.profile_steps"),
    ],
)
def test_a_setting_without_a_stack_is_named(words: str, named: str) -> None:
    with pytest.raises(ConfigError) as refused:
        require_stackable(settings(*words.split()))
    assert f"\n{named}" in str(refused.value)
    assert "leave out hydra/launcher=vectorized" in str(refused.value)


@pytest.mark.parametrize(
    "words",
    ["", "model=convnet", "model=lenet5 optimizer=adamw", "loss=focal scheduler=onecycle"],
)
def test_what_can_be_stacked_passes(words: str) -> None:
    require_stackable(settings("device=cpu", *words.split()))


def test_runs_differ_in_what_a_stack_allows() -> None:
    key = stack_key(settings())
    for words in (
        "seed=1 optimizer.lr=0.3 optimizer.momentum=0.5",
        "optimizer.weight_decay=0.1 loss.label_smoothing=0.1 model.dropout=0.5 name=another",
    ):
        assert stack_key(settings(*words.split())) == key
    for words in (
        *("optimizer.momentum=0", "optimizer.nesterov=true", "model=fcn", "trainer.epochs=6"),
        *("trainer.batch_size=32", "data.split_seed=1", "tracker=none", "trainer.log_every=7"),
    ):
        assert stack_key(settings(words)) != key
