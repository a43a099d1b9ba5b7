"""Texture measures: agreement with scikit-image and plain loops, closed forms, invariants."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from skimage.feature import graycomatrix, graycoprops, local_binary_pattern
from skimage.filters import gabor_kernel

from dermfeat.lesion import Lesion, centred_ellipse
from dermfeat.measures import texture, texture_spectral

MEASURES = (
    texture.glcm,
    texture.lbp,
    texture_spectral.gabor,
    texture_spectral.wavelet,
    texture_spectral.fractal,
)
ANGLES = np.pi * np.arange(4) / 4


def row_of(lesion):
    return {name: value for measure in MEASURES for name, value in measure(lesion).items()}


def gray_lesion(gray, mask):
    return Lesion(np.dstack([gray] * 3), mask)


def rectangle(shape=(90, 100), where=np.s_[20:70, 15:85]):
    mask = np.zeros(shape, bool)
    mask[where] = True
    return mask, where


def noise(seed, shape=(90, 100), blur=1.5):
    rng = np.random.default_rng(seed)
    image = cv2.GaussianBlur(rng.integers(0, 256, shape).astype(np.float32), (0, 0), blur)
    return cv2.normalize(image, None, 20, 230, cv2.NORM_MINMAX).astype(np.uint8)


@pytest.mark.parametrize("distance", [1, 2, 3, 5])
def test_glcm_of_a_rectangle_agrees_with_scikit_image(distance):
    mask, where = rectangle()
    gray = noise(0)
    row = texture.glcm(gray_lesion(gray, mask), distances=(distance,))
    low, high = np.sort(gray[where], axis=None)[[int(np.ceil(q * mask.sum())) - 1 for q in (0.01, 0.99)]].astype(int)
    levels = np.clip((gray[where].astype(int) - low) * 32 // (high - low), 0, 31).astype(np.uint8)
    counts = graycomatrix(levels, [distance], ANGLES, levels=32, symmetric=True).sum(axis=3, keepdims=True)
    p = counts / counts.sum()
    for name in ("contrast", "dissimilarity", "homogeneity", "energy", "correlation"):
        assert row[f"glcm_{name}_d{distance}"] == pytest.approx(graycoprops(p, name)[0, 0], abs=1e-6, rel=1e-6)


@pytest.mark.parametrize("distance", [1, 3, 5])
def test_masked_cooccurrence_agrees_with_a_loop(distance):
    rng = np.random.default_rng(distance)
    levels = 6
    image = rng.integers(0, levels + 1, (17, 14)).astype(np.uint8)
    expected = np.zeros((levels, levels))
    k = round(distance * np.sin(np.pi / 4))
    for (y, x), value in np.ndenumerate(image):
        for dy, dx in ((0, distance), (k, k), (distance, 0), (k, -k)):
            if 0 <= y + dy < 17 and 0 <= x + dx < 14 and value < levels and image[y + dy, x + dx] < levels:
                expected[value, image[y + dy, x + dx]] += 1
                expected[image[y + dy, x + dx], value] += 1
    found = texture.cooccurrence(image, distance, levels)
    np.testing.assert_allclose(found, expected / expected.sum(), atol=1e-12)


def test_glcm_sees_nothing_outside_the_mask():
    mask = centred_ellipse((90, 100))
    gray = noise(1)
    other = np.where(mask, gray, noise(2))
    assert texture.glcm(gray_lesion(gray, mask)) == texture.glcm(gray_lesion(other, mask))


def test_haralick_in_closed_form():
    """Independent levels: the joint entropy is twice the single one. A diagonal matrix: each tells the other."""
    independent = texture.haralick(np.full((4, 4), 1 / 16))
    assert independent["contrast"] == pytest.approx(2.5)
    assert independent["dissimilarity"] == pytest.approx(1.25)
    assert independent["correlation"] == pytest.approx(0)
    assert independent["energy"] == pytest.approx(0.25)
    assert independent["entropy"] == pytest.approx(4)
    assert independent["cluster_shade"] == pytest.approx(0)
    assert independent["cluster_prominence"] == pytest.approx((2 * 81 + 4 * 16 + 6 * 1) / 16)
    assert independent["difference_entropy"] == pytest.approx(
        -sum(q * np.log2(q) for q in (4 / 16, 6 / 16, 4 / 16, 2 / 16))
    )
    assert independent["information_1"] == pytest.approx(0)
    assert independent["information_2"] == pytest.approx(0, abs=1e-6)
    diagonal = texture.haralick(np.eye(4) / 4)
    assert diagonal["homogeneity"] == diagonal["correlation"] == 1
    assert diagonal["information_1"] == -1
    assert diagonal["information_2"] == pytest.approx(np.sqrt(1 - 1 / 16))
    assert diagonal["cluster_prominence"] == pytest.approx((2 * 81 + 2 * 1) / 4)


def test_glcm_of_stripes():
    """Stripes one pixel wide: at distance 1 three of four angles step from one level to the other."""
    mask, where = rectangle()
    stripes = np.where(np.arange(100) % 2, 200, 50).astype(np.uint8) * np.ones((90, 1), np.uint8)
    row = texture.glcm(gray_lesion(stripes, mask), levels=2, distances=(1,))
    height, width = stripes[where].shape
    steps = height * (width - 1) + 2 * (height - 1) * (width - 1)
    share = steps / (steps + (height - 1) * width)
    assert row["glcm_contrast_d1"] == pytest.approx(share)
    assert row["glcm_homogeneity_d1"] == pytest.approx(1 - share / 2)
    assert row["glcm_correlation_d1"] == pytest.approx(1 - 2 * share, abs=1e-3)


def test_levels_out_of_range_are_refused():
    mask, _ = rectangle()
    with pytest.raises(ValueError, match="levels is 256"):
        texture.glcm(gray_lesion(noise(0), mask), levels=256)
    with pytest.raises(ValueError, match=r"wavelengths are \(8, 4\). Give them in ascending order"):
        texture_spectral.gabor(gray_lesion(noise(0), mask), wavelengths=(8, 4))
    with pytest.raises(ValueError, match="orientations is 5"):
        texture_spectral.gabor(gray_lesion(noise(0), mask), orientations=5)


@pytest.mark.parametrize(("neighbours", "radius"), [(8, 1), (16, 2)])
def test_lbp_agrees_with_scikit_image(neighbours, radius):
    """Noise has few exact ties between interpolated neighbours and centre, where rounding decides in scikit-image."""
    gray = np.random.default_rng(0).integers(0, 256, (90, 100), dtype=np.uint8)
    for mask in (rectangle()[0], centred_ellipse((90, 100)), rectangle(where=np.s_[:50, 30:])[0]):
        row = texture.lbp(gray_lesion(gray, mask), rings=((neighbours, radius),))
        labels = local_binary_pattern(gray, neighbours, radius, method="uniform")[mask].astype(int)
        assert list(row.values()) == list(np.bincount(labels, minlength=neighbours + 2) / mask.sum())


def test_lbp_of_smooth_images_differs_from_scikit_image_at_ties_alone():
    gray = noise(4, blur=4)
    tie = np.zeros(gray.shape, bool)
    padded = np.pad(gray, 3).astype(float)
    for angle in 2 * np.pi * np.arange(16) / 16:
        y, x = np.round([-2 * np.sin(angle), 2 * np.cos(angle)], 5)
        rows, columns = np.indices(gray.shape) + 3
        value = ndimage.map_coordinates(padded, [rows + y, columns + x], order=1)
        tie |= np.abs(value - gray) < 2 * texture.ROUNDING
    ours = texture.uniform_patterns(gray, 16, 2)
    theirs = local_binary_pattern(gray, 16, 2, method="uniform")
    assert tie.mean() < 0.7
    np.testing.assert_array_equal(ours[~tie], theirs[~tie])
    assert (ours != theirs).mean() < 0.01


def test_lbp_of_a_flat_lesion_is_one_pattern():
    mask, _ = rectangle()
    row = texture.lbp(gray_lesion(np.full((90, 100), 123, np.uint8), mask))
    assert {name for name, value in row.items() if value} == {"lbp_r1_ones_8", "lbp_r2_ones_16"}


@pytest.mark.parametrize(("wavelength", "tolerance"), [(4, 0.01), (8, 0.07), (16, 0.07), (32, 0.07)])
def test_gabor_agrees_with_scikit_image(wavelength, tolerance):
    mask, _ = rectangle((256, 256), np.s_[64:192, 64:192])
    gray = noise(7, (256, 256), blur=2)
    row = texture_spectral.gabor(gray_lesion(gray, mask), wavelengths=(wavelength,))
    image = gray - gray[mask].mean()
    magnitudes = []
    for angle in np.radians([15, 45, 75, 105, 135, 165]):
        kernel = gabor_kernel(1 / wavelength, angle, bandwidth=1, n_stds=4)
        padded = np.pad(image, 64, mode="symmetric")
        shape = [n + k - 1 for n, k in zip(padded.shape, kernel.shape, strict=True)]
        product = np.fft.ifft2(np.fft.fft2(padded, shape) * np.fft.fft2(kernel, shape))
        offset = [64 + k // 2 for k in kernel.shape]
        magnitudes.append(np.abs(product[offset[0] :, offset[1] :][:256, :256])[mask])
    mean = np.mean(magnitudes, axis=1)
    assert row[f"gabor_mean_w{wavelength}"] == pytest.approx(mean.mean(), rel=tolerance)
    assert row[f"gabor_variance_w{wavelength}"] == pytest.approx(np.var(magnitudes, axis=1).mean(), rel=2 * tolerance)
    assert row[f"gabor_anisotropy_w{wavelength}"] == pytest.approx(mean.max() / mean.mean(), rel=tolerance)


@pytest.mark.parametrize("wavelength", [4, 8, 16, 32])
def test_gabor_of_a_wave_peaks_at_its_wavelength(wavelength):
    """Response of a Gabor filter to a wave along its own direction is half the wave's amplitude."""
    y, x = np.indices((320, 320))
    angle = np.radians(15)
    wave = 128 + 60 * np.cos(2 * np.pi / wavelength * (np.cos(angle) * x + np.sin(angle) * y))
    row = texture_spectral.gabor(gray_lesion(np.rint(wave).astype(np.uint8), centred_ellipse((320, 320))))
    means = {w: row[f"gabor_mean_w{w}"] for w in (4, 8, 16, 32)}
    assert max(means, key=means.get) == wavelength
    largest = means[wavelength] * row[f"gabor_anisotropy_w{wavelength}"]
    assert largest == pytest.approx(30, rel=0.04)
    assert row[f"gabor_anisotropy_w{wavelength}"] > 2


def test_wavelet_of_stripes_and_checkerboard():
    """The finest detail filter turns an alternation of +a and -a into 2a, the smoothing filter removes it."""
    mask, _ = rectangle()
    y, x = np.indices((90, 100))
    stripes = texture_spectral.wavelet(gray_lesion(np.where(x % 2, 110, 90).astype(np.uint8), mask))
    board = texture_spectral.wavelet(gray_lesion(np.where((x + y) % 2, 110, 90).astype(np.uint8), mask))
    high, low = 2 * 10 / 2, 1
    assert stripes["wavelet_axial_energy_1"] == pytest.approx((high * low) ** 2, rel=1e-5)
    assert stripes["wavelet_axial_entropy_1"] == pytest.approx(1, abs=1e-4)
    assert stripes["wavelet_diagonal_energy_1"] == pytest.approx(0, abs=1e-6)
    assert board["wavelet_diagonal_energy_1"] == pytest.approx((2 / 2) ** 2 * 10**2, rel=1e-5)
    assert board["wavelet_axial_energy_1"] == pytest.approx(0, abs=1e-6)
    assert board["wavelet_axial_energy_2"] == pytest.approx(0, abs=1e-6)


def test_wavelet_entropy_of_one_spot_is_small():
    mask, _ = rectangle()
    gray = np.full((90, 100), 100, np.uint8)
    gray[45, 50] = 140
    row = texture_spectral.wavelet(gray_lesion(gray, mask))
    assert 0 < row["wavelet_diagonal_entropy_1"] < 0.3


def test_fractal_dimension_of_plane_and_noise():
    mask = centred_ellipse((256, 256))
    flat = texture_spectral.fractal(gray_lesion(np.full((256, 256), 90, np.uint8), mask))
    rough = texture_spectral.fractal(gray_lesion(noise(1, (256, 256), blur=0.5), mask))
    smooth = texture_spectral.fractal(gray_lesion(noise(1, (256, 256), blur=8), mask))
    assert flat["fractal_dimension"] == pytest.approx(2)
    assert 2 < smooth["fractal_dimension"] < rough["fractal_dimension"] - 0.1


def test_fractal_analysis_of_three_bands():
    """A line of n pixels meets (n + s - 1) / s boxes of side s on average: dimension 1 if it is long."""
    mask, _ = rectangle((256, 256), np.s_[20:240, 20:240])
    gray = np.repeat(np.uint8([50, 100, 200]), [75, 110, 71]) * np.ones((256, 1), np.uint8)
    row = texture_spectral.fractal(gray_lesion(gray, mask))
    mean = (55 * 50 + 110 * 100 + 55 * 200) / 220
    assert row["sfta_share_dark"] == row["sfta_share_bright"] == pytest.approx(0.25)
    assert row["sfta_contrast_dark"] == pytest.approx(50 - mean)
    assert row["sfta_contrast_bright"] == pytest.approx(200 - mean)
    sides = texture_spectral.BOX_SIDES
    expected = -np.polyfit(np.log(sides), np.log((220 + sides - 1) / sides), 1)[0]
    for name in ("dark", "middle", "bright"):
        assert row[f"sfta_dimension_{name}"] == pytest.approx(expected)


def test_gliding_boxes_count_what_all_positions_of_the_grid_count_on_average():
    rng = np.random.default_rng(2)
    border = np.zeros((60, 60), np.uint8)
    border[20:40, 20:40] = rng.random((20, 20)) < 0.1
    side = 5
    counts = [
        sum(border[y : y + side, x : x + side].any() for y in range(dy, 60, side) for x in range(dx, 60, side))
        for dy in range(side)
        for dx in range(side)
    ]
    touched = cv2.countNonZero(cv2.dilate(border, np.ones((side, side), np.uint8)))
    assert np.mean(counts) == pytest.approx(touched / side**2)


def test_brightness_of_the_photograph_drops_out():
    """A constant added to every pixel changes no texture; a gain changes no co-occurrence."""
    mask = centred_ellipse((128, 128))
    gray = noise(3, (128, 128)) // 2 + 10
    before, shifted = row_of(gray_lesion(gray, mask)), row_of(gray_lesion(gray + 50, mask))
    assert shifted == pytest.approx(before, rel=1e-3, abs=1e-4)
    assert texture.glcm(gray_lesion(2 * gray, mask)) == pytest.approx(texture.glcm(gray_lesion(gray, mask)))


TURNS = (np.rot90, np.flipud, np.fliplr, np.transpose)


@pytest.mark.parametrize("turn", TURNS)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**31), blur=st.sampled_from([0.3, 1, 3]))
def test_turns_and_flips_change_nothing(turn, seed, blur):
    gray = noise(seed, (81, 70), blur)
    mask = noise(seed + 1, gray.shape, 5) > 120
    before = row_of(gray_lesion(gray, mask))
    after = row_of(gray_lesion(np.ascontiguousarray(turn(gray)), np.ascontiguousarray(turn(mask))))
    assert after == pytest.approx(before, rel=1e-4, abs=1e-4)


@settings(max_examples=40, deadline=None)
@given(gray=arrays(np.uint8, (64, 64)), mask=arrays(bool, (64, 64), elements=st.booleans(), fill=st.booleans()))
def test_any_image_and_mask_give_the_same_finite_columns(gray, mask):
    row = row_of(gray_lesion(gray, mask))
    assert list(row) == list(row_of(gray_lesion(noise(0, (64, 64)), centred_ellipse((64, 64)))))
    assert all(isinstance(value, float | np.floating) and np.isfinite(value) for value in row.values())


@pytest.mark.parametrize("kind", ["black", "white", "noise"])
@pytest.mark.parametrize(
    "where", [np.s_[30:32, 30:33], np.s_[:, 20], np.s_[0:5, 0:5], np.s_[::16, ::16], np.s_[10:, :]]
)
def test_tiny_thin_and_touching_masks(kind, where):
    gray = {
        "black": np.zeros((64, 64), np.uint8),
        "white": np.full((64, 64), 255, np.uint8),
        "noise": noise(0, (64, 64)),
    }
    mask = np.zeros((64, 64), bool)
    mask[where] = True
    lesion = gray_lesion(gray[kind], mask)
    assert not lesion.is_fallback
    row = row_of(lesion)
    assert np.isfinite(list(row.values())).all()
    if kind != "noise":
        flat = {"contrast": 0, "homogeneity": 1, "correlation": 1, "entropy": 0, "information_1": 0}
        assert {name: row[f"glcm_{name}_d1"] for name in flat} == flat
        assert row["fractal_dimension"] == pytest.approx(2)
        assert row["gabor_mean_w4"] == pytest.approx(0, abs=1e-3)


def test_mask_without_a_pair_counts_as_one_flat_level():
    mask = np.zeros((64, 64), bool)
    mask[::16, ::16] = True
    row = texture.glcm(gray_lesion(noise(0, (64, 64)), mask))
    assert (row["glcm_energy_d1"], row["glcm_entropy_d5"], row["glcm_contrast_d3"]) == (1, 0, 0)


def test_real_images_give_distinct_columns(shared_data):
    files = sorted((shared_data / "malignant_vs_benign" / "train").glob("*/*.jpg"))[::16]
    rows = []
    for file in files:
        image = cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB)
        rows.append(list(row_of(Lesion(image, centred_ellipse(image.shape[:2]))).values()))
    likeness = np.abs(np.corrcoef(np.array(rows).T))
    assert len(rows) >= 100
    assert (likeness[np.triu_indices_from(likeness, 1)] < 0.999).all()
