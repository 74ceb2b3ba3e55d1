"""A passport without an alarm, of a machine that does not exist."""

from typing import Any

from mnist_trainer.report.read.passport import FORMAT

WEIGHTS, LOSSES = "ab" * 32, "cd" * 32


def passport() -> dict[str, Any]:
    """Two cores, quiet, everything measured."""
    samples = [
        {"at": float(at), "wall": 0.0301, "cpu": 0.03, "waited": 0.0, "others": 0.0,
         "stolen": 0.0, "others_cores": 0.01}
        for at in range(24)
    ]  # fmt: skip
    machine = {
        "processor": {"name": "Some Processor", "vendor": "V", "family": "1", "model": "2"},
        "flags": ["avx2", "avx512f"],
        "cores": {"logical": 2, "usable": 2},
        "quota": None,
        "capability": {"used": "AVX512", "offered": "AVX512"},
        "megahertz": 2600.0,
        "memory_bytes": 8_000_000_000,
        "system": "Linux",
        "python": "3.12.0",
        "torch": {"version": "2.14.1", "blas": "mkl", "mkl": "2024.2", "onednn": "3.12.0"},
        "threads": 2,
        "variables": {},
        "devices": ["cpu (Some Processor, 2 threads)"],
    }
    return {
        "format": FORMAT,
        "version": "0.1.0",
        "made": "2026-01-01T00:00:00+00:00",
        "quick": False,
        "seconds": 60.0,
        "machine": machine,
        "peak": {"cores": 2, "megahertz": 2600.0, "flops_per_cycle": 64, "gflops": 332.8},
        "exact": [
            {"operation": "matmul", "shape": [2, 3, 4], "device": "cpu", "precision": "fp32",
             "elements": 8, "wrong": 0, "first": None}
        ],
        "reference": [
            {"model": model, "threads": 2, "verdict": "as known", "weights": WEIGHTS,
             "losses": LOSSES}
            for model in ("fcn", "cnn")
        ],
        "replays": [
            {"device": "cpu", "precision": "fp32", "model": "fcn", "weights": WEIGHTS,
             "same_bits": True}
        ],
        "low_precision": [
            {"device": "cpu", "precision": "bf16", "fp32_gflops": 100.0, "gflops": 800.0,
             "ratio": 8.0, "native": True}
        ],
        "scaling": [
            {"threads": 1, "gflops": 90.0, "copy": 10.0, "triad": 12.0},
            {"threads": 2, "gflops": 170.0, "copy": 15.0, "triad": 18.0},
        ],
        "devices": [],
        "recipes": [
            {"recipe": name, "precision": "fp32", "step_ms": 1.7, "flops_per_step": 1.7e8,
             "flops_per_byte": 7.0, "gflops": 50.0, "share_of_roofline": 0.4}
            for name in ("docs_fcn", "docs_cnn", "fast99")
        ],
        "to_99": {"train_seconds": 1.2, "total_seconds": 4.0, "test_accuracy": 0.9916},
        "moods": samples,
        "accounts": {"wall": 60.0, "own": 70.0, "others": 0.5, "stolen": 0.0,
                     "throttled": 0.0, "throttlings": 0},
        "findings": [],
    }  # fmt: skip
