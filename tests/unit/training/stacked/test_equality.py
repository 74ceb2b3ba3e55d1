"""Each member of a stack against the same run alone, in float64, to 1e-9."""

from pathlib import Path

import pytest

from tests.unit.training.stacked.conftest import Alone, Configs, Stacked
from tests.unit.training.stacked.same_run import assert_same_run

# Words of all members, and words of each.
CASES = {
    "fcn, sgd": (
        ("model=fcn", "model.hidden=[64,32]", "optimizer.weight_decay=0.01"),
        ("seed=0 optimizer.momentum=0.5", "seed=1 optimizer.lr=0.01"),
    ),
    "cnn, sgd, augmented, dropout, smoothing, Nesterov, average, cosine": (
        (
            *("model=cnn", "model.hidden=[20]", "transforms=augment", "scheduler=cosine"),
            *("optimizer.nesterov=true", "trainer.ema_decay=0.9"),
        ),
        (
            "seed=0 model.dropout=0.3 loss.label_smoothing=0.1",
            "seed=1 model.dropout=0.5",
            "seed=2 optimizer.weight_decay=0.1",
        ),
    ),
    "fcn, adam, dropout, accumulation, clipping": (
        (
            *("model=fcn", "model.hidden=[32,16]", "model.dropout=0.2", "optimizer=adam"),
            *("trainer.accumulation=2", "trainer.batch_size=16", "trainer.clip_norm=0.5"),
        ),
        ("seed=3 optimizer.weight_decay=0.1", "seed=4 optimizer.lr=0.01"),
    ),
    "cnn, adamw, AMSGrad, poly, one cycle, no validation images": (
        (
            *("model=cnn", "optimizer=adamw", "optimizer.amsgrad=true", "loss=poly"),
            *("scheduler=onecycle", "data.validation_size=0", "trainer.epochs=1"),
        ),
        ("seed=0", "seed=1 optimizer.lr=0.01 optimizer.weight_decay=0"),
    ),
    "two_layer, sgd without momentum": (
        ("model=two_layer", "optimizer.momentum=0", "loss.label_smoothing=0.2"),
        ("seed=0", "seed=0 optimizer.lr=0.2"),
    ),
}


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("case", CASES)
def test_members_equal_their_single_runs(
    case: str, configs: Configs, alone: Alone, stacked: Stacked, tmp_path: Path
) -> None:
    words, apart = CASES[case]
    runs = configs(*words, apart=apart)
    assert stacked(runs) == dict.fromkeys(runs)
    for name, config in runs.items():
        alone(name, config)
        assert_same_run(tmp_path / "stacked" / name, tmp_path / "alone" / name)
