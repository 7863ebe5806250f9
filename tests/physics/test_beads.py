"""Beads found, sorted, centred and averaged, in scenes whose PSF is known."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from zsfiji import progress
from zsfiji.errors import Cancelled, UserError
from zsfiji.physics.optics.beads import from_beads
from zsfiji.physics.optics.measure import fwhm
from zsfiji.physics.optics.microscope import Optics
from zsfiji.physics.optics.pupil import from_optics
from zsfiji.physics.optics.resample import pad

WIDE = Optics("wide-field", 1.3, 525.0)
FLAT = from_optics(WIDE, (0.065, 0.065))
DEEP = from_optics(WIDE, (0.15, 0.065, 0.065), (19, 45, 45))


def scene(psf, shape, positions, heights, background=100.0, seed=0):
    """Beads at fractions of a pixel, with photon and camera noise."""
    rng = np.random.default_rng(seed)
    image = np.full(shape, float(background))
    kernel = np.pad(psf.values / psf.values.max(), 2)
    for position, height in zip(positions, heights, strict=True):
        whole = np.round(position).astype(int)
        spectrum = np.fft.fftn(kernel)
        for axis, shift in enumerate(position - whole):
            phase = np.exp(-2j * np.pi * np.fft.fftfreq(kernel.shape[axis]) * shift)
            spectrum = spectrum * phase.reshape([-1 if a == axis else 1 for a in range(len(shape))])
        bead = height * np.fft.ifftn(spectrum).real
        low = whole - np.array(kernel.shape) // 2
        inside = [
            (max(a, 0), min(a + k, n)) for a, k, n in zip(low, kernel.shape, shape, strict=True)
        ]
        part = tuple(slice(a - o, b - o) for (a, b), o in zip(inside, low, strict=True))
        image[tuple(slice(a, b) for a, b in inside)] += bead[part]
    return rng.poisson(image.clip(0)) + rng.normal(0, 3, shape)


def on_a_lattice(shape, distance, seed=0):
    rng = np.random.default_rng(seed)
    axes = [np.arange(distance, n - distance / 2, distance) for n in shape]
    grid = np.stack([g.ravel() for g in np.meshgrid(*axes, indexing="ij")], axis=1)
    return grid + rng.uniform(-0.5, 0.5, grid.shape)


def likeness(one, other):
    shape = [max(n, m) for n, m in zip(one.values.shape, other.values.shape, strict=True)]
    return np.corrcoef(pad(one, shape).values.ravel(), pad(other, shape).values.ravel())[0, 1]


def test_the_mean_of_many_beads_is_the_psf_and_each_is_found_to_a_few_hundredths_of_a_pixel():
    true = on_a_lattice((200, 200), 40)
    beads = from_beads(scene(FLAT, (200, 200), true, np.full(len(true), 1500.0)), FLAT.spacing)
    assert len(beads.positions) == len(true)
    assert not beads.rejected
    for position in beads.positions:
        assert np.abs(true - position).max(axis=1).min() < 0.08
    assert likeness(beads.psf, FLAT) > 0.999
    np.testing.assert_allclose(fwhm(beads.psf), fwhm(FLAT), rtol=0.03)
    assert f"{len(true)} beads averaged" in beads.report()
    assert "FWHM along x: 22" in beads.report()


def test_beads_in_a_stack_give_a_psf_with_its_depth():
    true = np.c_[np.full(9, 18.0) + np.linspace(-2, 2, 9), on_a_lattice((160, 160), 45)[:9]]
    image = scene(DEEP, (37, 160, 160), true, np.full(9, 2000.0))
    beads = from_beads(image, DEEP.spacing)
    assert len(beads.positions) == 9
    assert likeness(beads.psf, DEEP) > 0.98
    np.testing.assert_allclose(fwhm(beads.psf), fwhm(DEEP), rtol=0.05)
    assert "FWHM along z" in beads.report()


def test_each_bead_that_cannot_serve_is_left_out_for_its_reason():
    good = on_a_lattice((200, 200), 50)
    pair = np.array([[25.0, 25.0], [25.0, 31.0]])
    border = np.array([[100.0, 2.0]])
    heights = [*np.full(len(good), 800.0), 800, 700, 900]
    image = scene(FLAT, (200, 200), np.concatenate((good, pair, border)), heights)
    image += scene(FLAT, (200, 200), good[:1], [5000.0], background=0)
    image = np.minimum(image, 2500)
    clump = np.hypot(*(np.indices((200, 200)) - np.array([175, 25])[:, None, None]))
    image += 900 * (clump < 4)
    beads = from_beads(image.astype(np.uint16), FLAT.spacing)
    assert len(beads.positions) == len(good) - 1
    assert beads.rejected["too close to another bead"] == 2
    assert beads.rejected["at the border"] == 1
    assert beads.rejected["saturated"] == 1
    assert beads.rejected["wider or narrower than the others"] == 1
    assert likeness(beads.psf, FLAT) > 0.995


def test_fits_calm_the_noise_of_few_beads():
    image = scene(FLAT, (60, 60), np.array([[30.3, 29.6]]), [250.0])
    plain = from_beads(image, FLAT.spacing).psf
    round_ = from_beads(image, FLAT.spacing, fit="radial").psf
    gaussian = from_beads(image, FLAT.spacing, fit="gaussian").psf
    assert likeness(round_, FLAT) > likeness(plain, FLAT)
    row, column = (n // 2 for n in round_.values.shape)
    np.testing.assert_allclose(
        round_.values[row, column : column + 8], round_.values[row : row + 8, column], rtol=1e-9
    )
    np.testing.assert_allclose(fwhm(gaussian), fwhm(FLAT), rtol=0.1)


def test_an_asymmetric_psf_is_not_mirrored():
    grid = np.indices((31, 31)) - 15.0
    values = np.exp(-(grid**2).sum(0) / 8) + 0.3 * np.exp(
        -((grid[0]) ** 2 + (grid[1] - 6) ** 2) / 8
    )
    psf = type(FLAT)(values / values.sum(), FLAT.spacing)
    found = from_beads(
        scene(psf, (160, 160), on_a_lattice((160, 160), 50), np.full(4, 3000.0)),
        FLAT.spacing,
        window=(31, 31),
    ).psf.values
    row, column = (n // 2 for n in found.shape)
    assert found[row, column + 6] > 4 * found[row, column - 6]


def test_an_image_without_beads_says_so():
    noise = np.random.default_rng(0).normal(100, 3, (100, 100))
    with pytest.raises(UserError, match="No bead was found"):
        from_beads(noise, FLAT.spacing)
    with pytest.raises(UserError, match="No bead was found"):
        from_beads(gaussian_filter(noise, 0.7), FLAT.spacing)


def test_beads_too_dense_say_so():
    true = on_a_lattice((90, 90), 9)
    image = scene(FLAT, (90, 90), true, np.full(len(true), 1000.0))
    with pytest.raises(UserError, match="too close together: dilute"):
        from_beads(image, FLAT.spacing)


def test_saturated_beads_say_so():
    true = on_a_lattice((150, 150), 50)
    image = scene(FLAT, (150, 150), true, np.full(len(true), 9000.0))
    with pytest.raises(UserError, match="saturated: acquire again with less light"):
        from_beads(np.minimum(image, 4095).astype(np.uint16), FLAT.spacing)
    with pytest.raises(UserError, match="saturated"):
        from_beads(image, FLAT.spacing, saturation=5000)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((50, 50)), "empty"),
        (np.full((50, 50), np.nan), "NaN"),
        (np.zeros((2, 3, 50, 50)), "4 axes"),
        (scene(FLAT, (12, 12), np.array([[6.0, 6.0]]), [900.0]), "too small"),
    ],
)
def test_what_is_no_bead_image_is_refused(image, words):
    with pytest.raises(UserError, match=words):
        from_beads(image, (0.1,) * image.ndim)


class CancelAt:
    """A host whose user cancels at a stage."""

    def __init__(self, stage):
        self.stage = stage
        self.seen = []

    def show(self, event):
        self.seen.append(event.message)

    def cancelled(self):
        return self.stage in self.seen

    def finish_now(self):
        return False


@pytest.mark.parametrize("stage", ["Looking for beads", "Centring the beads"])
def test_both_stages_can_be_cancelled(stage):
    true = on_a_lattice((120, 120), 40)
    image = scene(FLAT, (120, 120), true, np.full(len(true), 1500.0))
    with progress.using(CancelAt(stage)), pytest.raises(Cancelled):
        from_beads(image, FLAT.spacing)
