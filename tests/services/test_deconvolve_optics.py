"""The PSF that the deconvolution works with is as wide as what the camera shows of a point.

By benchmarks/optics.py, which goes through the commands; the other cases are there.
"""

import importlib.util
import sys
from pathlib import Path

import pytest

PATH = Path(__file__).resolve().parents[2] / "benchmarks" / "optics.py"


@pytest.fixture(scope="module")
def optics():
    spec = importlib.util.spec_from_file_location("benchmark_of_optics", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look there
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("number", "upsample"), [(0, 2), (1, 2), (2, 2), (2, 1)])
def test_a_generated_psf_holds_the_pixel_once(optics, number, upsample, tmp_path):
    case = optics.CASES[number]
    psf = optics.used(case, optics.generated(case), upsample, tmp_path)
    ratio, misfit = optics.width_ratio(case, psf, upsample)
    assert ratio == pytest.approx(1, abs=0.002)
    assert misfit < 0.005


@pytest.mark.parametrize(("number", "most"), [(0, 0.01), (1, 0.01)])
def test_a_measured_psf_holds_the_pixel_once(optics, number, most, tmp_path):
    case = optics.CASES[number]
    psf = optics.used(case, optics.measured(case), 2, tmp_path)
    assert optics.width_ratio(case, psf, 2)[0] == pytest.approx(1, abs=most)
