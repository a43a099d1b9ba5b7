"""DICOM files to (H, W, 3) uint8 sRGB."""

import io
import warnings
import zlib
from contextlib import contextmanager

import numpy as np
from PIL import Image

from dermfeat._errors import LesionImageError
from dermfeat.reading.dicom_samples import stored_samples
from dermfeat.reading.dicom_tables import gray_table, palette_table, scaled_table
from dermfeat.reading.pixels import check_size, pil_to_rgb

SAMPLES = {"MONOCHROME1": 1, "MONOCHROME2": 1, "PALETTE COLOR": 1} | dict.fromkeys(
    ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"), 3
)
AGAIN = "Copy or export it again."


def is_dicom(data, name):
    """Tell whether bytes are a DICOM file: by its magic, or, where the preamble was left out, by the ending .dcm."""
    return data[128:132] == b"DICM" or (name.lower().endswith(".dcm") and data[:2] in (b"\x02\x00", b"\x08\x00"))


def decode_dicom(data, name, max_pixels):
    """Decode the bytes of a DICOM file with one frame to (H, W, 3) uint8 sRGB.

    Colours are RGB, YBR_FULL, YBR_FULL_422, YBR_ICT, YBR_RCT or PALETTE COLOR; where a JPEG or JPEG 2000 stream says
    itself how it holds colours, that counts and not the header. MONOCHROME1 and 2 run through rescale (or modality
    table) and the first window (or VOI table); without one, the whole range of the stored bits becomes 0 to 255
    (DICOM PS3.4, annex N.2). An ICC profile of the file is converted to sRGB. Rows are taken as stored: DICOM photos
    have no orientation to apply.

    Uncompressed, deflated, RLE, JPEG and JPEG 2000 files need nothing more; others (JPEG-LS, 12 bit JPEG,
    high-throughput JPEG 2000, JPEG 2000 colours above 8 bits) a decoder that pydicom finds.

    Raises
    ------
    LesionImageError
        If the file is truncated or damaged, has no pixel data, several frames, floats or more than 16 bits, is larger
        than `max_pixels`, or needs a decoder that is not installed.
    """
    with faults(name):
        ds = open_dicom(io.BytesIO(data), name, max_pixels)
        _check_image(ds, name, max_pixels)
        samples, space = stored_samples(ds, name)
        rgb = _colors(samples, space, ds, name)
        profile = ds.get("ICCProfile")
        if profile and not space.startswith("MONOCHROME"):
            image = Image.fromarray(rgb)
            image.info["icc_profile"] = profile
            return pil_to_rgb(image, name, max_pixels)
        return rgb


@contextmanager
def faults(name):
    """Turn whatever pydicom and decoders raise into a LesionImageError; what they only remark stays unsaid."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except LesionImageError:
            raise
        except Exception as error:
            said = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            raise LesionImageError(
                name, f"the DICOM file is damaged or not as its standard says ({said})", AGAIN
            ) from error


def open_dicom(file, name, max_pixels, **options):
    """`pydicom.dcmread` of a file object; a deflated one may not inflate beyond what `max_pixels` need."""
    from pydicom import dcmread, filereader

    file.seek(0)
    filereader.read_preamble(file, force=True)
    meta = filereader.read_dataset(file, False, True, stop_when=lambda tag, vr, length: tag >> 16 != 2)
    if meta.get("TransferSyntaxUID") == "1.2.840.10008.1.2.1.99":
        limit = 8 * max_pixels + 2**24
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        inflater.decompress(file.read(), limit)
        if inflater.unconsumed_tail:
            raise LesionImageError(
                name, f"it inflates to more than {limit} bytes", "If you trust it, raise max_pixels."
            )
    file.seek(0)
    return dcmread(file, force=True, **options)


def _check_image(ds, name, max_pixels):
    """Refuse what cannot be one photo before anything is decoded."""
    if "FloatPixelData" in ds or "DoubleFloatPixelData" in ds:
        raise LesionImageError(name, "found pixels that are floats", "Export the photo with 8 bits.")
    if not ds.get("PixelData"):
        raise LesionImageError(name, "found no pixel data", "It is truncated, or a report and no image.")
    frames = ds.get("NumberOfFrames") or 1
    if frames != 1:
        raise LesionImageError(name, f"found {frames} frames", "Save the one you mean as its own file.")
    check_size((_number(ds, "Columns", name), _number(ds, "Rows", name)), name, max_pixels)
    photometric = ds.get("PhotometricInterpretation")
    if photometric not in SAMPLES or SAMPLES[photometric] != ds.get("SamplesPerPixel"):
        found = f"found {ds.get('SamplesPerPixel')} samples a pixel as {photometric}"
        raise LesionImageError(name, found, f"Export it as one of {', '.join(SAMPLES)}.")
    _check_bits(ds, name, photometric)


def _check_bits(ds, name, photometric):
    allocated, stored, high, signed = (
        _number(ds, keyword, name) for keyword in ("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation")
    )
    if allocated not in (8, 16) or not 1 <= stored <= allocated or high != stored - 1:
        found = f"found {stored} of {allocated} bits, the highest at {high}"
        raise LesionImageError(name, found, "Export it with 8 or 16 bits, the lowest of them in use.")
    if signed not in ((0, 1) if photometric.startswith("MONOCHROME") else (0,)):
        raise LesionImageError(name, f"found PixelRepresentation {signed} of {photometric}", "Export it unsigned.")
    if photometric.startswith("YBR_FULL") and stored != 8:
        raise LesionImageError(name, f"found {stored} bits of {photometric}", "Export it as RGB.")


def _number(ds, keyword, name):
    value = ds.get(keyword)
    if not isinstance(value, int):
        raise LesionImageError(name, f"found {value!r} as {keyword}", AGAIN)
    return value


def _colors(samples, space, ds, name):
    """Return the samples, which are in the colour space `space`, as (H, W, 3) uint8 RGB."""
    if space == "PALETTE COLOR":
        return palette_table(ds, samples.dtype)[samples]
    if space.startswith("MONOCHROME"):
        gray = gray_table(ds, samples.dtype)[samples.view(f"u{samples.itemsize}")]
        return np.repeat(gray[..., np.newaxis], 3, axis=2)
    if space.startswith("YBR_FULL"):
        from pydicom.pixels import convert_color_space

        convert_color_space(samples[:, np.newaxis], "YBR_FULL", "RGB", per_frame=True)  # row by row, to save memory
    elif space != "RGB":
        raise LesionImageError(name, f"found {space} without JPEG 2000", "Export it again, as RGB.")
    if ds.BitsStored == 8 and samples.dtype == np.uint8:
        return np.ascontiguousarray(samples)
    return scaled_table(ds.BitsStored, samples.dtype)[samples]
