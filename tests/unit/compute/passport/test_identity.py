"""What a machine is, from texts of known machines."""

import json

import pytest

from mnist_trainer.compute.passport.identity import (
    describe_machine,
    describe_torch,
    kind_of,
    offered_capability,
    read_processor,
)

INTEL = """processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 143
model name\t: Intel(R) Xeon(R)
flags\t\t: fpu sse2 avx fma avx2 avx512f avx512dq avx512bw avx512vl

processor\t: 1
flags\t\t: none
"""
ARM = "processor\t: 0\nFeatures\t: fp asimd sve\nCPU implementer\t: 0x41\nCPU architecture: 8\n"


def test_first_processor_of_cpuinfo() -> None:
    found = read_processor(INTEL)
    assert (found["vendor"], found["family"], found["model"]) == ("GenuineIntel", "6", "143")
    assert "avx512vl" in found["flags"]
    assert read_processor(ARM)["vendor"] == "0x41"
    assert read_processor("") == {"vendor": None, "family": None, "model": None, "flags": set()}


def test_capability_that_the_flags_allow() -> None:
    all_flags = read_processor(INTEL)["flags"]
    assert offered_capability(all_flags) == "AVX512"
    assert offered_capability(all_flags - {"avx512vl"}) == "AVX2"
    assert offered_capability(all_flags - {"avx512vl", "fma"}) == "DEFAULT"
    assert offered_capability(read_processor(ARM)["flags"]) is None


def test_variables_that_change_arithmetic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MKL_CBWR", "AVX2")
    monkeypatch.setenv("GOMP_SPINCOUNT", "10000")
    variables = describe_machine()["variables"]
    assert variables["MKL_CBWR"] == "AVX2"
    # The command sets it itself.
    assert "GOMP_SPINCOUNT" not in variables


def test_libraries_of_a_build() -> None:
    text = "Math Kernel Library Version 2024.2-Product\n - Intel(R) MKL-DNN v3.12.0 (Git)\n"
    found = describe_torch(text + "OpenMP 201511\nBuild settings: BLAS_INFO=mkl, X=1")
    assert (found["blas"], found["mkl"]) == ("mkl", "2024.2")
    assert (found["onednn"], found["openmp"]) == ("3.12.0", "201511")
    assert describe_torch("")["blas"] is None


def test_kind_tells_threads_and_caps_apart() -> None:
    machine = json.loads(json.dumps(describe_machine()))
    assert kind_of(machine, 1) == kind_of(machine, 1)
    assert kind_of(machine, 1) != kind_of(machine, 2)
    capped = {**machine, "variables": {"ONEDNN_MAX_CPU_ISA": "AVX2"}}
    assert kind_of(capped, 1) != kind_of(machine, 1)
