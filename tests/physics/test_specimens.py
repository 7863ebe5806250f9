import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from zsfiji.physics.specimens import DISTANCES, KINDS, crossings, line_pairs, specimen

SPARSE = ("filaments", "tubules", "vesicles", "reticulum", "pairs", "crossings")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(96, 128), (8, 64, 64)])
def test_specimens_are_bright_structures_over_a_haze(kind, shape):
    image = specimen(kind, shape, seed=3)
    assert image.shape == shape
    assert image.min() >= 0.03
    assert np.quantile(image, 0.995) == pytest.approx(1.03, abs=0.02)
    if kind in SPARSE:
        assert image.min() < 0.05
        assert image.mean() < 0.4


@pytest.mark.parametrize("kind", KINDS)
def test_a_field_without_structure_is_haze(kind):
    small = [specimen(kind, (24, 24), seed=seed, pixel=5.0) for seed in range(20)]
    assert np.isfinite(small).all()
    assert kind not in ("vesicles", "reticulum") or any(np.ptp(one) == 0 for one in small)


def test_the_seed_decides_the_specimen():
    first, same, other = (specimen("filaments", (64, 64), seed=s) for s in (1, 1, 2))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


def test_tubules_are_wider_than_filaments():
    def fineness(kind):
        image = specimen(kind, (128, 128))
        return np.square(np.diff(image)).mean() / image.var()

    assert fineness("filaments") > 2 * fineness("tubules")


@pytest.mark.parametrize("kind", KINDS)
def test_a_specimen_is_the_same_on_a_finer_grid(kind):
    coarse = specimen(kind, (96, 96), seed=1, pixel=31.3)
    fine = specimen(kind, (288, 288), seed=1, pixel=31.3 / 3)
    fine = fine.reshape(96, 3, 96, 3).mean((1, 3))
    # As a microscope sees them: the finest lines are half a coarse pixel wide.
    seen, again = (gaussian_filter(image, 2).ravel() for image in (coarse, fine))
    assert np.corrcoef(seen, again)[0, 1] > 0.997
    assert np.polyfit(again, seen, 1)[0] == pytest.approx(1, abs=0.08)


def test_texture_has_power_beyond_the_cut_off_and_none_at_still_finer_periods():
    image = specimen("texture", (256, 256), seed=2, pixel=20)
    power = np.abs(np.fft.rfft2(image - image.mean())) ** 2
    frequency = np.hypot(np.fft.fftfreq(256, 20)[:, None], np.fft.rfftfreq(256, 20))
    beyond = power[(frequency > 1 / 190) & (frequency < 1 / 110)].mean()
    assert beyond > 0.002 * power[frequency < 1 / 600].mean()
    assert power[frequency > 1 / 80].mean() < 0.01 * beyond
    assert image.std() / image.mean() == pytest.approx(1, abs=0.25)


def test_pairs_of_lines_have_the_distances_that_are_told():
    shape, pixel = (192, 192), 20.0
    image = specimen("pairs", shape, seed=4, pixel=pixel)
    pairs = line_pairs(np.array(shape) * pixel, 4)
    # The field is small: not every distance has its pair.
    assert len(pairs) == 9
    assert {p.distance for p in pairs} <= set(DISTANCES)
    for pair in pairs:
        for offset, bright in ((-0.5, True), (0.5, True), (0.0, pair.distance == 0)):
            if not bright and pair.distance < 100:
                continue  # the lines themselves are nearly as wide
            place = np.array([pair.row, pair.col]) + offset * pair.distance * pair.across
            assert (image[tuple((place / pixel).astype(int))] > 0.3) == bright


def test_the_arms_of_crossings_have_the_distances_that_are_told():
    shape, pixel = (200, 200), 20.0
    image = specimen("crossings", shape, seed=4, pixel=pixel)
    strokes, pairs = crossings(np.array(shape) * pixel, 4)
    assert len(strokes) == 8
    far = [p for p in pairs if p.distance >= 200]
    assert far
    for pair in far:
        middle = np.array([pair.row, pair.col])
        on_lines = [middle + side * pair.distance / 2 * pair.across for side in (-1, 1)]
        index = [tuple((place / pixel).astype(int)) for place in (middle, *on_lines)]
        assert image[index[0]] < 0.2 < min(image[i] for i in index[1:])


def test_spots_and_structures_of_mixed_sizes_have_all_brightnesses():
    for kind in ("spots", "mixed"):
        image = specimen(kind, (256, 256), seed=1)
        tops = np.quantile(image, (0.6, 0.9, 0.99, 0.999))
        assert (np.diff(tops) > 0.05).all()
