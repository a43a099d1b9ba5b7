"""DICOM files read back what was written, in every photometric interpretation; damaged ones give one clear error."""

import io
import os
import pickle
import struct
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageCms, features
from pydicom import dcmread, uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_voi_lut, convert_color_space, get_decoder, get_encoder

from dermfeat import ColorFeatures, LesionFeatures, LesionImageError, LesionReader, datasets
from dermfeat.reading import sources
from dermfeat.reading.dicom_attributes import dicom_attributes

WHOLE = np.arange(256, dtype=np.uint8).reshape(16, 16)


@pytest.fixture
def drawn():
    return draw()


@pytest.fixture(scope="session")
def photos(shared_data):
    files = sorted((shared_data / "malignant_vs_benign" / "train").rglob("*.jpg"))[::700]
    return [np.asarray(Image.open(file).convert("RGB")) for file in files]


def draw():
    rows, columns = np.mgrid[:24, :32]
    return np.stack([rows * 8, columns * 7, (rows + columns) * 3], axis=2).astype(np.uint8)


def dataset(pixels, photometric, shape, syntax=uid.ExplicitVRLittleEndian, *, samples=3, bits=8, **elements):
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = uid.VLPhotographicImageStorage
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    ds.Rows, ds.Columns = shape[:2]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = samples, photometric
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8 if bits <= 8 else 16, bits, bits - 1
    ds.PixelRepresentation = 0
    if samples > 1:
        ds.PlanarConfiguration = 0
    ds.PixelData = encapsulate([pixels]) if syntax.is_encapsulated else pixels + b"\0" * (len(pixels) % 2)
    ds["PixelData"].VR = "OB" if syntax.is_encapsulated or bits <= 8 else "OW"
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    return ds


def saved(ds, **options):
    buffer = io.BytesIO()
    ds.save_as(buffer, **options or {"enforce_file_format": True})
    return buffer.getvalue()


def dicom(*args, **kwargs):
    return saved(dataset(*args, **kwargs))


def stream(rgb, format="JPEG", **options):
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, format, **options)
    return buffer.getvalue()


def jpeg2000(rgb, **options):
    return stream(rgb, "JPEG2000", no_jp2=True, **options)


def halved(ybr):
    """Y1 Y2 B R of each pair of neighbours, as uncompressed YBR_FULL_422 is stored."""
    pairs = ybr.reshape(len(ybr), -1, 2, 3)
    chroma = np.rint(pairs[..., 1:].mean(axis=2)).astype(np.uint8)
    return np.concatenate([pairs[..., 0], chroma], axis=2)


def rle(rgb, photometric="RGB", **elements):
    ds = dataset(rgb.tobytes(), photometric, rgb.shape)
    ds.compress(uid.RLELossless, generate_instance_uid=False)
    ds.update(elements)
    return saved(ds)


def palette(rgb, syntax=uid.ExplicitVRLittleEndian, bits=8, order="<"):
    image = Image.fromarray(rgb).quantize(256)
    colors = np.zeros((256, 3), np.uint16)
    used = np.reshape(image.getpalette(), (-1, 3))
    colors[: len(used)] = used
    ds = dataset(image.tobytes(), "PALETTE COLOR", rgb.shape, syntax, samples=1)
    for channel, color in enumerate(("Red", "Green", "Blue")):
        table = colors[:, channel].astype(np.uint8) if bits == 8 else (colors[:, channel] * 257).astype(f"{order}u2")
        ds.add_new(f"{color}PaletteColorLookupTableDescriptor", "US", [256, 0, bits])
        ds.add_new(f"{color}PaletteColorLookupTableData", "OW", table.tobytes())
    return saved(ds)


def read(reference, **options):
    return sources([reference], **options)[0].read()[0]


def gray_of(data):
    rgb = read(data)
    assert (rgb == rgb[..., :1]).all()
    return rgb[..., 0]


def difference(data, rgb):
    return np.abs(read(data).astype(float) - rgb).mean()


# ---------------------------------------------------------------------------------------------------- round trips

EXACT = {
    "explicit": lambda rgb: dicom(rgb.tobytes(), "RGB", rgb.shape),
    "planes": lambda rgb: dicom(
        rgb.transpose(2, 0, 1).tobytes(), "RGB", rgb.shape, PlanarConfiguration=1, NumberOfFrames=1
    ),
    "implicit": lambda rgb: dicom(rgb.tobytes(), "RGB", rgb.shape, uid.ImplicitVRLittleEndian),
    "big endian": lambda rgb: dicom(rgb.tobytes(), "RGB", rgb.shape, uid.ExplicitVRBigEndian),
    "deflated": lambda rgb: dicom(rgb.tobytes(), "RGB", rgb.shape, uid.DeflatedExplicitVRLittleEndian),
    "16 bit": lambda rgb: dicom((rgb * np.uint16(257)).tobytes(), "RGB", rgb.shape, bits=16),
    "12 bit": lambda rgb: dicom(np.rint(rgb * (4095 / 255)).astype("<u2").tobytes(), "RGB", rgb.shape, bits=12),
    "rle": rle,
    "rle planes": lambda rgb: rle(rgb, PlanarConfiguration=1),
    "ybr_rct": lambda rgb: dicom(jpeg2000(rgb, mct=1), "YBR_RCT", rgb.shape, uid.JPEG2000Lossless),
    "ybr_rct planes": lambda rgb: dicom(
        jpeg2000(rgb, mct=1), "YBR_RCT", rgb.shape, uid.JPEG2000Lossless, PlanarConfiguration=1
    ),
    "jp2 boxes": lambda rgb: dicom(stream(rgb, "JPEG2000", mct=1), "YBR_RCT", rgb.shape, uid.JPEG2000Lossless),
    "jpeg 2000 rgb": lambda rgb: dicom(jpeg2000(rgb, mct=0), "RGB", rgb.shape, uid.JPEG2000Lossless),
    "ybr_rct called rgb": lambda rgb: dicom(jpeg2000(rgb, mct=1), "RGB", rgb.shape, uid.JPEG2000Lossless),
    "ybr_rct called ybr_full": lambda rgb: dicom(jpeg2000(rgb, mct=1), "YBR_FULL", rgb.shape, uid.JPEG2000Lossless),
}
LOSSY = {  # and the mean absolute difference in grey levels that is allowed
    "ybr_full": (lambda rgb: dicom(to_ybr(rgb).tobytes(), "YBR_FULL", rgb.shape), 1),
    "ybr_full rle": (lambda rgb: rle(to_ybr(rgb), "YBR_FULL"), 1),
    "ybr_full planes": (
        lambda rgb: dicom(to_ybr(rgb).transpose(2, 0, 1).tobytes(), "YBR_FULL", rgb.shape, PlanarConfiguration=1),
        1,
    ),
    "ybr_full jpeg 2000": (
        lambda rgb: dicom(jpeg2000(to_ybr(rgb), mct=0), "YBR_FULL", rgb.shape, uid.JPEG2000Lossless),
        1,
    ),
    "ybr_full_422": (lambda rgb: dicom(halved(to_ybr(rgb)).tobytes(), "YBR_FULL_422", rgb.shape), 3),
    "jpeg 444": (
        lambda rgb: dicom(stream(rgb, quality=95, subsampling=0), "YBR_FULL", rgb.shape, uid.JPEGBaseline8Bit),
        3,
    ),
    "jpeg 422": (
        lambda rgb: dicom(stream(rgb, quality=95, subsampling=1), "YBR_FULL_422", rgb.shape, uid.JPEGBaseline8Bit),
        3,
    ),
    "jpeg 420": (
        lambda rgb: dicom(stream(rgb, quality=95, subsampling=2), "YBR_FULL_422", rgb.shape, uid.JPEGBaseline8Bit),
        3,
    ),
    "jpeg rgb": (
        lambda rgb: dicom(stream(rgb, quality=95, keep_rgb=True), "RGB", rgb.shape, uid.JPEGBaseline8Bit),
        3,
    ),
    "jpeg extended": (
        lambda rgb: dicom(stream(rgb, quality=95), "YBR_FULL_422", rgb.shape, uid.JPEGExtended12Bit),
        3,
    ),
    "ybr_ict": (
        lambda rgb: dicom(
            jpeg2000(rgb, irreversible=True, mct=1, quality_mode="rates", quality_layers=[8]),
            "YBR_ICT",
            rgb.shape,
            uid.JPEG2000,
        ),
        3,
    ),
    "palette": (palette, 3),
    "palette of 16 bit": (lambda rgb: palette(rgb, bits=16), 3),
    "palette big endian": (lambda rgb: palette(rgb, uid.ExplicitVRBigEndian, bits=16, order=">"), 3),
}


def to_ybr(rgb):
    return convert_color_space(rgb, "RGB", "YBR_FULL")


@pytest.mark.parametrize("kind", EXACT)
def test_lossless_files_read_exactly(drawn, kind):
    rgb = read(EXACT[kind](drawn))
    np.testing.assert_array_equal(rgb, drawn)
    assert rgb.dtype == np.uint8
    assert rgb.flags.writeable
    assert rgb.flags.c_contiguous


@pytest.mark.parametrize("kind", EXACT)
def test_lossless_photos_read_exactly(photos, kind):
    for rgb in photos:
        np.testing.assert_array_equal(read(EXACT[kind](rgb)), rgb)


@pytest.mark.parametrize("kind", LOSSY)
def test_lossy_photos_read_closely(photos, kind, record_property):
    make, allowed = LOSSY[kind]
    differences = [difference(make(rgb), rgb) for rgb in photos]
    record_property("difference", differences)
    assert max(differences) <= allowed


@pytest.mark.parametrize("kind", ["explicit", "planes", "deflated", "rle", "ybr_rct", "jpeg 2000 rgb", "ybr_full",
                                  "ybr_full planes", "ybr_full_422", "ybr_full rle"])  # fmt: skip
def test_colors_are_those_of_pydicom(photos, kind):
    make = EXACT.get(kind) or LOSSY[kind][0]
    for rgb in photos:
        np.testing.assert_array_equal(read(make(rgb)), dcmread(io.BytesIO(make(rgb))).pixel_array)


def test_compressed_photo_reads_like_its_jpeg_file(photos):
    for rgb in photos:
        data = stream(rgb, quality=90)
        wrapped = dicom(data, "YBR_FULL_422", rgb.shape, uid.JPEGBaseline8Bit)
        np.testing.assert_array_equal(read(wrapped), read(data))
        theirs = dcmread(io.BytesIO(wrapped)).pixel_array
        assert np.abs(read(wrapped).astype(int) - theirs).max() <= 2  # two ways to round


# ---------------------------------------------------------------------------------------- what a JPEG says of itself


def without_jfif(data):
    length = struct.unpack_from(">H", data, 4)[0]
    assert data[2:4] == b"\xff\xe0"
    return data[:2] + data[4 + length :]


def with_adobe(data, transform):
    return data[:2] + b"\xff\xee\x00\x0eAdobe" + struct.pack(">HHHB", 100, 0, 0, transform) + data[2:]


def rgb_unmarked(rgb, **options):
    """A JPEG stream of plain RGB that does not say so."""
    buffer = io.BytesIO()
    Image.frombytes("YCbCr", rgb.shape[1::-1], rgb.tobytes()).save(buffer, "JPEG", subsampling=0, **options)
    return without_jfif(buffer.getvalue())


STREAMS = {  # and the photometric interpretations under which it reads rightly
    "jfif": (lambda rgb: stream(rgb, quality=95), ("RGB", "YBR_FULL", "YBR_FULL_422")),
    "adobe ybr": (
        lambda rgb: with_adobe(without_jfif(stream(rgb, quality=95)), 1),
        ("RGB", "YBR_FULL", "YBR_FULL_422"),
    ),
    "adobe rgb": (lambda rgb: with_adobe(rgb_unmarked(rgb, quality=95), 0), ("RGB", "YBR_FULL", "YBR_FULL_422")),
    "rgb ids": (lambda rgb: stream(rgb, quality=95, keep_rgb=True), ("RGB", "YBR_FULL", "YBR_FULL_422")),
    "subsampled": (lambda rgb: without_jfif(stream(rgb, quality=95)), ("RGB", "YBR_FULL", "YBR_FULL_422")),
    "unmarked ybr": (lambda rgb: without_jfif(stream(rgb, quality=95, subsampling=0)), ("YBR_FULL", "YBR_FULL_422")),
    "unmarked rgb": (lambda rgb: rgb_unmarked(rgb, quality=95), ("RGB",)),
}


@pytest.mark.parametrize("kind", STREAMS)
def test_jpeg_counts_where_its_header_is_wrong(photos, kind):
    make, headers = STREAMS[kind]
    for header in headers:
        assert difference(dicom(make(photos[0]), header, photos[0].shape, uid.JPEGBaseline8Bit), photos[0]) < 3


def lossless_jpeg(rgb):
    """A lossless JPEG: each sample less its left neighbour (first row: 128; first column: the one above)."""
    height, width = rgb.shape[:2]
    values = rgb.astype(int)
    before = np.roll(values, 1, axis=1)
    before[1:, 0] = values[:-1, 0]
    before[0, 0] = 128
    bits = ""
    for difference in (values - before).ravel().tolist():
        size = abs(difference).bit_length()
        bits += f"{size:05b}"
        if size:
            bits += f"{difference if difference > 0 else difference + 2**size - 1:0{size}b}"
    bits += "1" * (-len(bits) % 8)
    data = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\x00")
    frame = struct.pack(">HHBHHB", 0xFFC3, 17, 8, height, width, 3) + b"R\x11\0G\x11\0B\x11\0"
    table = struct.pack(">HHB", 0xFFC4, 36, 0) + bytes([0] * 4 + [17] + [0] * 11) + bytes(range(17))
    scan = struct.pack(">HHB", 0xFFDA, 12, 3) + b"R\0G\0B\0" + bytes([1, 0, 0])
    return b"\xff\xd8" + table + frame + scan + data + b"\xff\xd9"


def test_lossless_jpeg(drawn):
    data = dicom(lossless_jpeg(drawn), "RGB", drawn.shape, uid.JPEGLosslessSV1)
    if int((features.version_feature("libjpeg_turbo") or "0").partition(".")[0]) >= 3:
        np.testing.assert_array_equal(read(data), drawn)
    else:
        with pytest.raises(LesionImageError, match="pip install python-gdcm"):
            read(data)


# -------------------------------------------------------------------------------------------------------------- gray


def gray(values, bits, photometric="MONOCHROME2", **elements):
    signed = int(values.dtype.kind == "i")
    return dicom(
        values.tobytes(), photometric, values.shape, samples=1, bits=bits, PixelRepresentation=signed, **elements
    )


@pytest.mark.parametrize(("dtype", "bits"), [("u1", 8), ("i1", 8), ("<u2", 16), ("<i2", 16), ("<u2", 12), ("<i2", 10)])
def test_gray_without_window_has_the_whole_range(dtype, bits):
    low = -(2 ** (bits - 1)) if "i" in dtype else 0
    values = np.linspace(low, low + 2**bits - 1, 256).round().reshape(16, 16).astype(dtype)
    assert np.abs(gray_of(gray(values, bits)).astype(int) - WHOLE).max() <= (bits < 12)
    assert np.abs(gray_of(gray(values, bits, "MONOCHROME1")).astype(int) - WHOLE[::-1, ::-1]).max() <= (bits < 12)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("rescale", [{}, {"RescaleSlope": 2, "RescaleIntercept": -1000}])
def test_window_is_that_of_pydicom(function, rescale):
    values = np.linspace(0, 4095, 256).round().reshape(16, 16).astype("<u2")
    center = 2000 * rescale.get("RescaleSlope", 1) + rescale.get("RescaleIntercept", 0)
    elements = {"WindowCenter": [center, 1], "WindowWidth": [1500, 2], "VOILUTFunction": function} | rescale
    data = gray(values, 12, **elements)
    ds = dcmread(io.BytesIO(data))
    rescaled = values.astype(float) * rescale.get("RescaleSlope", 1.0) + rescale.get("RescaleIntercept", 0)
    low, high = (v * rescale.get("RescaleSlope", 1) + rescale.get("RescaleIntercept", 0) for v in (0, 4095))
    expected = (apply_voi_lut(rescaled, ds) - low) / (high - low) * 255
    assert np.abs(gray_of(data) - expected).max() <= 0.5 + 1e-6


def test_gray_tables():
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [256, 0, 16])
    item.add_new("LUTData", "US", [(255 - i) * 257 for i in range(256)])
    for sequence in ("ModalityLUTSequence", "VOILUTSequence"):
        np.testing.assert_array_equal(gray_of(gray(WHOLE, 8, **{sequence: [item]})), WHOLE[::-1, ::-1])


def test_gray_compressed():
    ramp = WHOLE.copy()
    for syntax, data in ((uid.JPEG2000Lossless, jpeg2000(ramp)), (uid.JPEGBaseline8Bit, stream(ramp, quality=100))):
        got = gray_of(dicom(data, "MONOCHROME1", ramp.shape, syntax, samples=1))
        assert np.abs(got.astype(int) - ramp[::-1, ::-1]).max() <= (syntax == uid.JPEGBaseline8Bit) * 2
    deep = (ramp * np.uint16(257)).astype("<u2")
    np.testing.assert_array_equal(
        gray_of(dicom(jpeg2000(deep), "MONOCHROME2", ramp.shape, uid.JPEG2000Lossless, samples=1, bits=16)), ramp
    )


def test_palette_with_offset_and_segments():
    ds = dataset(WHOLE.tobytes(), "PALETTE COLOR", WHOLE.shape, samples=1)
    for color in ("Red", "Green", "Blue"):
        ds.add_new(f"{color}PaletteColorLookupTableDescriptor", "US", [101, 50, 16])
        segments = [0, 1, 0, 1, 100, 25700]  # the value 0, then 100 steps up to 25700
        ds.add_new(f"Segmented{color}PaletteColorLookupTableData", "OW", np.array(segments, "<u2").tobytes())
    expected = np.clip(WHOLE.astype(int) - 50, 0, 100)
    np.testing.assert_array_equal(gray_of(saved(ds)), expected)


# ------------------------------------------------------------------------------------------- the file and its reference


def test_every_way_to_name_a_file(drawn, tmp_path):
    path = tmp_path / "ISIC_1.dcm"
    path.write_bytes(EXACT["explicit"](drawn))
    for reference in (path, str(path), path.read_bytes(), bytearray(path.read_bytes())):
        np.testing.assert_array_equal(read(reference), drawn)
    source = sources([str(path)])[0]
    assert source.digest == sources([path.read_bytes()])[0].digest
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(source)).read(source.digest)[0], drawn)


def test_features_take_dicom(tmp_path):
    rgb = datasets.make_lesions(1, size=(96, 120), random_state=1).X[0]
    path = tmp_path / "x.dcm"
    path.write_bytes(EXACT["rle"](rgb))
    features = LesionFeatures([("color", ColorFeatures())], reader=LesionReader(segmenter="otsu"))
    rows = features.fit_transform([str(path), rgb])
    np.testing.assert_array_equal(np.asarray(rows)[0], np.asarray(rows)[1])


@pytest.mark.parametrize("kept", ["meta", "nothing"])
def test_file_without_preamble_needs_its_ending(drawn, tmp_path, kept):
    data = EXACT["implicit"](drawn)[132:]
    if kept == "nothing":
        data = data[12 + struct.unpack_from("<I", data, 8)[0] :]
    path = tmp_path / "bare.DCM"
    path.write_bytes(data)
    np.testing.assert_array_equal(read(path), drawn)
    with pytest.raises(LesionImageError, match="not an image that is known"):
        read(data)


def test_picture_with_the_ending_of_dicom_is_still_read(drawn, tmp_path):
    path = tmp_path / "really.dcm"
    path.write_bytes(stream(drawn, "PNG"))
    np.testing.assert_array_equal(read(path), drawn)


def test_profile_is_converted(drawn):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    renamed = profile.replace("sRGB".encode("utf-16-be"), "odd!".encode("utf-16-be"))
    turned = renamed.replace(b"rXYZ", b"tmpX").replace(b"gXYZ", b"rXYZ").replace(b"tmpX", b"gXYZ")
    tagged = dicom(drawn.tobytes(), "RGB", drawn.shape, ICCProfile=turned)
    np.testing.assert_array_equal(read(tagged), read(stream(drawn, "PNG", icc_profile=turned)))
    assert difference(tagged, drawn) > 5
    for left_aside in (profile, b"damaged!"):
        np.testing.assert_array_equal(read(dicom(drawn.tobytes(), "RGB", drawn.shape, ICCProfile=left_aside)), drawn)


def test_pydicom_remarks_are_not_shown(drawn):
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("ignore")
        data = raw(PatientAge="45 years", PixelData=drawn.tobytes() + bytes(100))(drawn)
        warnings.simplefilter("always")
        np.testing.assert_array_equal(read(data), drawn)
    assert not shown


# ------------------------------------------------------------------------------------------------------------ errors


def without(keyword):
    def make(rgb):
        ds = dataset(rgb.tobytes(), "RGB", rgb.shape)
        del ds[keyword]
        return saved(ds)

    return make


def float_pixels(rgb):
    ds = dataset(b"", "MONOCHROME2", rgb.shape, samples=1)
    del ds.PixelData
    ds.BitsAllocated = 32
    ds.FloatPixelData = rgb[..., 0].astype("<f4").tobytes()
    return saved(ds)


def raw(photometric="RGB", **elements):
    return lambda rgb: dicom(rgb.tobytes(), photometric, rgb.shape, **elements)


def two_streams(rgb):
    ds = dataset(stream(rgb), "YBR_FULL_422", rgb.shape, uid.JPEGBaseline8Bit)
    ds.PixelData = encapsulate([stream(rgb), stream(rgb)])
    return saved(ds)


def inflating(rgb):
    return dicom(bytes(2 * 10**8), "RGB", rgb.shape, uid.DeflatedExplicitVRLittleEndian)


BAD = {
    "several frames": (raw(NumberOfFrames=3), "found 3 frames"),
    "frames not in the header": (lambda rgb: dicom(rgb.tobytes() * 2, "RGB", rgb.shape), "bytes of pixels where one"),
    "two streams": (two_streams, "found 2 frames"),
    "no pixel data": (without("PixelData"), "no pixel data"),
    "floats": (float_pixels, "floats"),
    "no rows": (without("Rows"), "None as Rows"),
    "absurd size": (raw(Rows=60000, Columns=60000), "more than the limit"),
    "larger than its data": (raw(Rows=2000, Columns=2000), "less than expected"),
    "32 bits": (raw(BitsAllocated=32, BitsStored=32, HighBit=31), "32 of 32 bits"),
    "high bits": (raw(BitsAllocated=16, BitsStored=8, HighBit=15), "highest at 15"),
    "signed colors": (raw(PixelRepresentation=1), "PixelRepresentation 1 of RGB"),
    "other colors": (raw("CMYK"), "3 samples a pixel as CMYK"),
    "samples of gray": (raw("MONOCHROME2"), "3 samples a pixel as MONOCHROME2"),
    "ybr_rct uncompressed": (raw("YBR_RCT"), "YBR_RCT without JPEG 2000"),
    "no palette": (lambda rgb: dicom(WHOLE.tobytes(), "PALETTE COLOR", (16, 16), samples=1), "it has no palette"),
    "stream of another size": (
        lambda rgb: dicom(stream(rgb), "YBR_FULL_422", (8, 8), uid.JPEGBaseline8Bit),
        "its stream has",
    ),
    "no stream": (lambda rgb: dicom(b"nothing!", "YBR_FULL_422", rgb.shape, uid.JPEGBaseline8Bit), "neither JPEG"),
    "video": (lambda rgb: dicom(b"nothing!", "YBR_FULL_422", rgb.shape, uid.MPEG2MPML), "found MPEG2"),
    "slope of 0": (lambda rgb: gray(WHOLE, 8, RescaleSlope=0, RescaleIntercept=0), "RescaleSlope is 0"),
    "window of 0": (lambda rgb: gray(WHOLE, 8, WindowCenter=0, WindowWidth=0), "WindowWidth is 0"),
    "inflates without end": (inflating, "inflates to more than"),
    "only the magic": (lambda rgb: bytes(128) + b"DICM", "no pixel data"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_bad_files_name_item_and_cure(drawn, tmp_path, kind):
    make, found = BAD[kind]
    path = tmp_path / "bad.dcm"
    path.write_bytes(make(drawn))
    with pytest.raises(LesionImageError, match=found) as error:
        read(str(path), max_pixels=4_000_000)
    assert str(error.value).startswith(f"{path}: ")
    assert error.value.cure


@pytest.mark.parametrize("kind", ["explicit", "rle", "ybr_rct", "jpeg 2000 rgb", "deflated", "jpeg 422"])
def test_truncated_files_are_refused(drawn, kind):
    data = (EXACT.get(kind) or LOSSY[kind][0])(drawn)
    for kept in (0.95, 0.8, 0.6):
        with pytest.raises(LesionImageError, match=r"X\[0\]"):
            read(data[: int(kept * len(data))])


def test_missing_decoder_gives_the_line_that_installs_it(drawn):
    deep = (drawn[..., 0] * np.uint16(16)).astype("<u2")
    stream_12 = stream(drawn[..., 0]).replace(b"\xff\xc0\x00\x0b\x08", b"\xff\xc1\x00\x0b\x0c")
    ls = b"\xff\xd8\xff\xf7" + struct.pack(">HBHHB", 11, 8, *drawn.shape[:2], 1) + b"\x01\x11\x00\xff\xd9"
    ht = jpeg2000(drawn)
    for data, syntax, samples, bits, package in (
        (stream_12, uid.JPEGExtended12Bit, 1, 12, "pylibjpeg-libjpeg"),
        (ls, uid.JPEGLSLossless, 1, 8, "pyjpegls"),
        (ht, uid.HTJ2KLossless, 3, 12, "pylibjpeg-openjpeg"),
        (ht, uid.JPEG2000Lossless, 3, 12, "pylibjpeg-openjpeg"),
    ):
        if set(get_decoder(syntax).available_plugins) - {"pillow", "gdcm"}:
            continue
        photometric = "MONOCHROME2" if samples == 1 else "RGB"
        with pytest.raises(LesionImageError, match=f"pip install .*{package}"):
            read(dicom(data, photometric, deep.shape, syntax, samples=samples, bits=bits))


@pytest.mark.parametrize(
    ("syntax", "bits", "photometric"),
    [
        (uid.JPEGLSLossless, 8, "RGB"),
        (uid.JPEGLSLossless, 8, "YBR_FULL"),
        (uid.JPEGLSLossless, 16, "RGB"),
        (uid.JPEG2000Lossless, 16, "RGB"),
        (uid.JPEG2000Lossless, 16, "YBR_RCT"),
    ],
)
def test_decoders_that_some_have(drawn, syntax, bits, photometric):
    if not get_encoder(syntax).is_available:
        pytest.skip(f"nothing installed writes {syntax.name}")
    drawn = np.tile(drawn, (3, 3, 1))
    pixels = drawn if bits == 8 else drawn * np.uint16(257)
    if photometric == "YBR_FULL":
        pixels = to_ybr(drawn)
    ds = dataset(pixels.tobytes(), photometric, drawn.shape, bits=bits)
    ds.compress(syntax, generate_instance_uid=False)
    assert np.abs(read(saved(ds)).astype(int) - drawn).max() <= 3 * (photometric == "YBR_FULL")


# -------------------------------------------------------------------------------------------------------- attributes


def test_attributes(drawn, tmp_path):
    region = Dataset()
    region.CodeMeaning = "Skin of upper arm"
    elements = [
        {"PatientID": "IP_1", "PatientSex": "F", "PatientAge": "045Y", "BodyPartExamined": "HEAD/NECK"},
        {"PatientSex": "M", "PatientAge": "006M", "Manufacturer": "Dermacam", "ManufacturerModelName": "D1"},
        {"PatientSex": "O", "PatientBirthDate": "19500702", "StudyDate": "20200701", "PixelSpacing": [0.02, 0.02]},
        {"AnatomicRegionSequence": [region], "StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.3", "Modality": "XC"},
        {},
    ]
    paths = [tmp_path / f"ISIC_{i}.dcm" for i in range(len(elements))]
    for path, element in zip(paths, elements, strict=True):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the slash in HEAD/NECK, as the ISIC archive writes it
            data = dicom(stream(drawn), "YBR_FULL_422", drawn.shape, uid.JPEGBaseline8Bit, **element)
        path.write_bytes(data)
    table = dicom_attributes(paths)
    assert list(table["image_id"]) == [path.stem for path in paths]
    assert table["patient_id"][0] == "IP_1"
    assert table["patient_id"][1:].isna().all()
    assert list(table["sex"][:2]) == ["female", "male"]
    assert table["sex"][2:].isna().all()
    np.testing.assert_allclose(table["age"], [45, 0.5, 69, np.nan, np.nan])
    assert list(table["site"].dropna()) == ["head/neck", "skin of upper arm"]
    assert table["study_date"][2] == pd.Timestamp(2020, 7, 1)
    assert (table["rows"] == 24).all()
    assert (table["columns"] == 32).all()
    assert table["pixel_spacing"][2] == 0.02
    assert (table["manufacturer"][1], table["model"][1]) == ("Dermacam", "D1")
    assert (table["study_uid"][3], table["series_uid"][3], table["modality"][3]) == ("1.2", "1.3", "XC")
    assert set(table["photometric_interpretation"]) == {"YBR_FULL_422"}
    assert dicom_attributes([]).columns.equals(table.columns)


def test_attributes_do_not_need_the_pixels(drawn, tmp_path):
    data = EXACT["explicit"](drawn)
    path = tmp_path / "cut.dcm"
    path.write_bytes(data[: -drawn.size])
    assert dicom_attributes([path])["rows"][0] == 24


@pytest.mark.parametrize(
    ("element", "found"),
    [
        ({"PatientAge": "old"}, "PatientAge is 'old'"),
        ({"StudyDate": "20201340"}, "StudyDate is '20201340'"),
        ({"PatientBirthDate": "20210101", "StudyDate": "20200101"}, "PatientBirthDate is '20210101'"),
    ],
)
def test_attributes_that_break_the_standard(drawn, tmp_path, element, found):
    path = tmp_path / "odd.dcm"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path.write_bytes(raw(**element)(drawn))
    with pytest.raises(LesionImageError, match=found) as error:
        dicom_attributes([path])
    assert error.value.item == str(path)


def test_attributes_of_a_file_that_inflates_without_end(tmp_path, monkeypatch):
    monkeypatch.setitem(dicom_attributes.__globals__, "MAX_PIXELS", 10**4)
    path = tmp_path / "inflates.dcm"
    path.write_bytes(dicom(bytes(3 * 10**7), "RGB", (24, 24), uid.DeflatedExplicitVRLittleEndian))
    with pytest.raises(LesionImageError, match="inflates to more than"):
        dicom_attributes([path])


def test_attributes_of_what_is_no_dicom(drawn, tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(stream(drawn, "PNG"))
    with pytest.raises(LesionImageError, match="no DICOM file"):
        dicom_attributes([path])
    with pytest.raises(LesionImageError, match="cannot be read"):
        dicom_attributes([tmp_path / "none.dcm"])
    with pytest.raises(LesionImageError, match=r"Write \[path\]"):
        dicom_attributes(path)


# ------------------------------------------------------------------------------------------------------------ mutated


def mutated(data, rng):
    """Return a file with flipped bits, a cut end, other bytes in between, a zeroed block or other lengths."""
    data = bytearray(data)
    at = int(rng.integers(len(data)))
    match rng.integers(5):
        case 0:
            for _ in range(rng.integers(1, 20)):
                data[rng.integers(len(data))] ^= 1 << rng.integers(8)
        case 1:
            del data[at:]
        case 2:
            data[at:at] = rng.bytes(rng.integers(1, 50))
        case 3:
            data[at : at + 64] = bytes(len(data[at : at + 64]))
        case 4:
            at = int(rng.integers(132, min(len(data) - 4, 900)))
            data[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x40", rng.bytes(4)])
    return bytes(data)


def fuzz(count, folder):
    """Read `count` mutated files; return how many were read, how many refused, and the peak of memory in GB."""
    import signal

    from memory import peak_bytes

    rgb = draw()
    files = [EXACT[kind](rgb) for kind in ("explicit", "implicit", "big endian", "deflated", "rle", "ybr_rct")]
    files += [LOSSY[kind][0](rgb) for kind in ("jpeg 422", "ybr_full_422", "ybr_ict", "palette")]
    files += [gray(WHOLE.astype("<u2"), 12, WindowCenter=100, WindowWidth=50), EXACT["jp2 boxes"](rgb)]
    outcomes = {"read": 0, "refused": 0}
    path = str(Path(folder) / "mutated.dcm")
    for seed in range(count):
        data = mutated(files[seed % len(files)], np.random.default_rng(seed))
        Path(path).write_bytes(files[0][:132] + data[132:])
        for action in (lambda: dicom_attributes([path]), lambda: read(path)):
            signal.alarm(10)
            try:
                action()
                outcome = "read"
            except LesionImageError as error:
                outcome = "refused" if error.item == path else error.item
        outcomes[outcome] += 1
    signal.alarm(0)
    return *outcomes.values(), peak_bytes() / 2**30


def test_mutated_files_give_the_one_error(tmp_path):
    pytest.importorskip("resource")
    count = int(os.environ.get("DERMFEAT_FUZZ", "150"))
    command = [sys.executable, "-W", "error", __file__, str(count), str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60 + count, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    read_, refused, peak = map(float, done.stdout.split())
    assert read_ + refused == count
    assert refused > 0.2 * count
    assert peak < 1, f"{peak} GB"


if __name__ == "__main__":
    print(*fuzz(int(sys.argv[1]), sys.argv[2]))
