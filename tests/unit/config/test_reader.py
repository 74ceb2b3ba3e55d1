"""Mistakes in a configuration: one message names them all, and what is valid."""

import copy

import pytest
from omegaconf import OmegaConf

from mnist_trainer.config.reader import read_config
from mnist_trainer.config.settings import AdversarySettings
from mnist_trainer.errors import ConfigError
from mnist_trainer.launch.options import quote_value
from tests.conftest import Compose


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trainer.epoch=5"], "Did you mean trainer.epochs"),
        (["+trainer.epoch=5"], "Did you mean trainer.epochs"),
        (["++trainer.epoch=5"], "Did you mean trainer.epochs"),
        (["+foo=1"], "foo is not a setting"),
        (["modle=cnn"], "Did you mean model"),
        (["model=cn"], "Did you mean cnn"),
        (["optimizer=[sgd]"], "optimizer="),
        (["model.hiden=[3]"], "Did you mean model.hidden"),
        (["+model.hiden=[3]"], "Did you mean model.hidden"),
        (["model.hidden=3"], "must be a list"),
        (["model.hidden=[a]"], "must be a number"),
        (["model.hidden=[0]"], "at least 1"),
        (["model.channels=[8,x]"], "each entry must be a whole number"),
        (["model.activation=rlu"], "Did you mean relu"),
        (["model.activation=swish"], "silu, softplus"),
        (["model.activation=softpluss"], "Did you mean softplus"),
        (["model.init=xavier"], "default, matched"),
        (["model.init=match"], "Did you mean matched"),
        (["model.dropout=1"], "[0, 1)"),
        (["optimizer.lr=fast"], "must be a number"),
        (["optimizer.lr=0"], "greater than 0"),
        (["optimizer=adam", "optimizer.betas=[0.9,1.0]"], "[0, 1)"),
        (["optimizer.nesterov=1"], "true or false"),
        (["loss.label_smoothing=-0.1"], "[0, 1)"),
        (["loss=focl"], "Did you mean focal"),
        (["loss=polly"], "Did you mean poly"),
        (["loss=focal", "loss.gamma=-1"], "at least 0"),
        (["loss=focal", "loss.gama=1"], "Did you mean loss.gamma"),
        (["loss=poly", "loss.epsilon=-2"], "at least -1"),
        (["loss=poly", "loss.epsilon=inf"], "a number"),
        (["loss=poly", "loss.epsilon=[1,2]"], "must be a number"),
        (["loss=poly_n", "loss.epsilons=2"], "must be a list"),
        (["loss=poly_n", "loss.epsilons=[1,nan]"], "each entry must be a number"),
        (["loss=poly_series", "loss.terms=0"], "in [1, 100]"),
        (["loss=poly_series", "loss.terms=2.5"], "whole number"),
        (["loss=mse", "loss.of=sigmoid"], "softmax, logits"),
        (["loss=mse", "loss.of=logits", "trainer.translations=3"], "use trainer.translations=1"),
        (["loss=mse", "loss.label_smoothing=0.1"], "loss.label_smoothing is not a setting"),
        (["scheduler=step", "scheduler.gamma=0"], "greater than 0"),
        (["scheduler=onecycle", "scheduler.shape=square"], "cosine, linear"),
        (["trainer.epochs=0"], "at least 1"),
        (["trainer.epochs=two"], "whole number"),
        (["trainer.epochs=null"], "whole number"),
        (["~trainer.epochs"], "trainer.epochs is missing"),
        (["trainer=null"], "choose one of: default"),
        (["optimizer=3"], "choose one of: adadelta"),
        (["~optimizer"], "choose one of: adadelta"),
        (["device.type=tpu"], "auto, cpu, cuda, mps"),
        (["data.validation_size=60000"], "less than the 60,000"),
        (["seed=-1"], "seed=-1"),
        (["seed=1.5"], "whole number"),
        (["transforms.fixed=[1]"], "each with a _target_"),
        (["transforms=augment", "transforms.random.0.degrees=-3"], "transforms.random"),
        (
            ["transforms=corrupt", "transforms.random.1.kinds=[fog,shot_nose]"],
            "Did you mean shot_noise?",
        ),
        (["transforms=corrupt", "transforms.random.1.kinds=fog"], "a list of one or more of: shot"),
        (["transforms=corrupt", "transforms.random.1.kinds=[]"], "a list of one or more of: shot"),
        (["transforms=corrupt", "transforms.random.1.strengths=[6]"], "one of: 1, 2, 3, 4, 5"),
        (["transforms=corrupt", "transforms.random.1.strengths=[1.0]"], "one of: 1, 2, 3, 4, 5"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_mistake_names_what_is_valid(words: list[str], said: str, compose: Compose) -> None:
    with pytest.raises(ConfigError) as caught:
        compose(*words)
    message = str(caught.value)
    assert said in message
    assert len(message.splitlines()) <= 10


def test_all_mistakes_are_in_one_message(compose: Compose) -> None:
    with pytest.raises(ConfigError) as caught:
        compose("trainer.epochs=0", "+foo=1", "optimizer.lr=x", "seed=-1")
    for key in ("trainer.epochs", "foo", "optimizer.lr", "seed"):
        assert key in str(caught.value)


def test_an_option_of_another_component_is_explained(compose: Compose) -> None:
    with pytest.raises(ConfigError, match=r"~optimizer\.momentum"):
        compose("experiment=docs_fcn", "optimizer=adam")
    assert (
        compose("experiment=docs_fcn", "optimizer=adam", "~optimizer.momentum").optimizer.choice
        == "adam"
    )


def test_seed_zero_is_a_seed(compose: Compose) -> None:
    assert compose("seed=0").seed == 0
    assert compose("seed=7").seed == 7


def test_a_float_may_be_written_as_an_integer(compose: Compose) -> None:
    assert compose("optimizer.lr=1").optimizer.options["lr"] == 1


@pytest.mark.parametrize(
    ("word", "quoted"),
    [
        (
            "resume=outputs/multirun/x/0-model=fcn,seed=0",
            'resume="outputs/multirun/x/0-model=fcn,seed=0"',
        ),
        ("hydra.run.dir=a (copy)", 'hydra.run.dir="a (copy)"'),
        ("name=späße", 'name="späße"'),
        ('name="späße"', 'name="späße"'),
        ("hydra.run.dir=plain/path", "hydra.run.dir=plain/path"),
        ("hydra.run.dir=runs/${seed}", "hydra.run.dir=runs/${seed}"),
        ("model.hidden=[1,2]", "model.hidden=[1,2]"),
        ("~model.dropout", "~model.dropout"),
    ],
)
def test_values_are_quoted_for_hydra(word: str, quoted: str) -> None:
    assert quote_value(word) == quoted


@pytest.mark.parametrize(
    ("word", "ends"),
    [("swish", "gd, such as model.activation=relu"), ("rellu", "gd. Did you mean relu?")],
    ids=str,
)
def test_an_unknown_choice_proposes_another(word: str, ends: str, compose: Compose) -> None:
    with pytest.raises(ConfigError) as refused:
        compose(f"model.activation={word}")
    assert str(refused.value).endswith(ends)


def test_the_adversary_is_off_by_default_and_when_null(compose: Compose) -> None:
    assert compose().trainer.adversary is None
    assert compose("trainer.adversary.steps=3").trainer.adversary is None
    assert compose("trainer.adversary=null").trainer.adversary is None
    assert compose("~trainer.adversary").trainer.adversary is None
    settings = compose("trainer.adversary.epsilon=0.3").trainer.adversary
    assert settings == AdversarySettings(epsilon=0.3, steps=7, step_size=0.1, warmup_epochs=0.0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("trainer.adversary.epsilon=2",), r"trainer\.adversary\.epsilon=2: must be in \(0, 1\]"),
        (("trainer.adversary.epsilon=0",), r"trainer\.adversary\.epsilon=0: must be in \(0, 1\]"),
        (("trainer.adversary.steps=0",), r"trainer\.adversary\.steps=0: must be at least 1"),
        (("trainer.adversary.steps=1.5",), r"steps=1\.5: must be a whole number"),
        (
            ("trainer.adversary=0.3",),
            r"trainer\.adversary=0\.3: .*trainer\.adversary\.epsilon=0\.3",
        ),
        (("+trainer.adversary.step=3",), r"trainer\.adversary\.step.*steps"),
        (("trainer.adversary.epsilon=0.1", "~trainer.adversary.steps"), "steps is missing"),
    ],
)
def test_a_wrong_adversary_is_told(words: tuple[str, ...], said: str, compose: Compose) -> None:
    with pytest.raises(ConfigError, match=said):
        compose(*words)


def test_settings_of_the_first_version_are_complete(compose: Compose) -> None:
    config = compose()
    plain = copy.deepcopy(dict(config.plain))
    del plain["data"]["per_class"], plain["trainer"]["adversary"]
    read = read_config(OmegaConf.create(plain), config.choices)
    assert (read.data, read.trainer) == (config.data, config.trainer)
