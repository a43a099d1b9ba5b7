"""The samples that a DICOM file stores, decompressed, and the colour space they are in."""

import io
import struct
from dataclasses import dataclass

import numpy as np
from PIL import Image, features

from dermfeat._errors import LesionImageError

START_OF_FRAME = {0xFFC0 + i for i in range(16)} - {0xFFC4, 0xFFC8, 0xFFCC} | {0xFFF7}
RLE, JPEG_EXTENDED = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.51"
PACKAGES = {
    "JPEG 2000": "pylibjpeg pylibjpeg-openjpeg",
    "High-Throughput JPEG 2000": "pylibjpeg pylibjpeg-openjpeg",
    "JPEG-LS": "pyjpegls",
    "JPEG Extended": "pylibjpeg pylibjpeg-libjpeg (the latter is under the GPL), or export it with 8 bits",
    "JPEG": "python-gdcm",
}


@dataclass(frozen=True)
class Stream:
    """What a JPEG or JPEG 2000 stream says of itself.

    Attributes
    ----------
    size : (width, height)
    components : int
    precision : int
        Bits of a sample.
    coding : str
        "lossy", "lossless", "ls" or "2000".
    space : str or None
        The colour space that its samples have once the stream is decoded as far as it says how; None if it says
        nothing, so that the DICOM header counts.
    """

    size: tuple
    components: int
    precision: int
    coding: str
    space: str | None


def stored_samples(ds, name):
    """Return the samples of the one frame of a data set.

    Returns
    -------
    samples : (H, W) or (H, W, 3) ndarray of 8 or 16 bit
    space : str
        The photometric interpretation they are in.
    """
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    implicit, little = ds.original_encoding
    native = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    syntax = ds.file_meta.get("TransferSyntaxUID") or native
    if not syntax.is_encapsulated:
        _check_length(ds, name)
        return _by_pydicom(ds, syntax, name)
    _decoder(syntax, name)
    frame = _frame(ds, name)
    if syntax == RLE:
        if len(frame) > 2 * ds.Rows * ds.Columns * ds.SamplesPerPixel * ds.BitsAllocated // 8 + 1024:
            raise LesionImageError(name, "found more RLE data than its pixels need", "Export it again.")
        return _by_pydicom(ds, syntax, name)
    return _from_stream(frame, ds, syntax, name)


def _check_length(ds, name):
    """Refuse a second frame that the header does not mention."""
    shared = 2 / 3 if ds.PhotometricInterpretation == "YBR_FULL_422" else 1
    length = ds.Rows * ds.Columns * ds.SamplesPerPixel * ds.BitsAllocated // 8 * shared
    if len(ds.PixelData) >= 2 * length:
        found = f"found {len(ds.PixelData)} bytes of pixels where one frame has {length:.0f}"
        raise LesionImageError(name, found, "Save the frame you mean as its own file.")


def _frame(ds, name):
    """Return the compressed frame."""
    from pydicom.encaps import get_frame, parse_basic_offsets

    frames = len(parse_basic_offsets(ds.PixelData))
    if frames > 1:
        raise LesionImageError(name, f"found {frames} frames", "Save the one you mean as its own file.")
    return get_frame(ds.PixelData, 0, number_of_frames=1)


def _from_stream(frame, ds, syntax, name):
    stream = parsed(frame)
    found = (*stream.size, stream.components)
    if found != (ds.Columns, ds.Rows, ds.SamplesPerPixel):
        stated = (ds.Columns, ds.Rows, ds.SamplesPerPixel)
        raise LesionImageError(
            name, f"its stream has {found} columns, rows, samples, its header {stated}", "Export it again."
        )
    photometric = ds.PhotometricInterpretation
    if stream.components == 3 and (stream.space or photometric in ("YBR_ICT", "YBR_RCT")):
        space = stream.space or "RGB"
    else:
        space = photometric
    if stream.precision == ds.BitsStored == 8 and not ds.PixelRepresentation and _pillow_reads(stream):
        return _by_pillow(frame, stream, space)
    samples, _ = _by_pydicom(ds, syntax, name, planar_configuration=0)
    return samples, space


def parsed(frame):
    """Return the `Stream` that the bytes of a JPEG, JPEG-LS or JPEG 2000 frame announce, without decoding them.

    Adobe, JFIF and component ids are followed as libjpeg does; subsampled colours are YBR, whatever the header says.
    JPEG 2000 colours that ran through its component transform are RGB when decoded.
    """
    if frame[:2] == b"\xff\xd8":
        return _jpeg(list(_segments(frame, 2)))
    start = frame.find(b"\xff\x4f\xff\x51")
    if start < 0:
        raise ValueError(f"the frame begins with {frame[:4]!r}, neither JPEG nor JPEG 2000")
    segments = dict(_segments(frame, start + 2))
    right, bottom, left, top, count = struct.unpack_from(">2xIIII16xH", segments[0xFF51])
    precision = (segments[0xFF51][36] & 127) + 1
    space = "RGB" if segments[0xFF52][4] else None
    return Stream((right - left, bottom - top), count, precision, "2000", space)


def _segments(frame, position):
    """Yield (marker, content) of each segment up to where the data of the image begin."""
    while position + 4 <= len(frame) and frame[position] == 0xFF:
        marker, length = struct.unpack_from(">HH", frame, position)
        if marker in (0xFFDA, 0xFF90):
            return
        if marker == 0xFFFF:  # a fill byte
            position += 1
            continue
        yield marker, frame[position + 4 : position + 2 + length]
        position += 2 + max(length, 2)


def _jpeg(segments):
    marker, header = next(segment for segment in segments if segment[0] in START_OF_FRAME)
    precision, height, width, count = struct.unpack_from(">BHHB", header)
    ids, factors = header[6::3][:count], header[7::3][:count]
    coding = {0xFFC3: "lossless", 0xFFF7: "ls"}.get(marker, "lossy")
    return Stream((width, height), count, precision, coding, _jpeg_space(segments, ids, factors))


def _jpeg_space(segments, ids, factors):
    if any(marker == 0xFFE0 and content.startswith(b"JFIF") for marker, content in segments):
        return "YBR_FULL"
    for marker, content in segments:
        if marker == 0xFFEE and content.startswith(b"Adobe") and len(content) > 11:
            return "YBR_FULL" if content[11] else "RGB"
    if ids.upper() == b"RGB":
        return "RGB"
    return "YBR_FULL" if len(set(factors)) > 1 else None


def _pillow_reads(stream):
    if stream.coding == "2000":
        return features.check_codec("jpg_2000")
    if stream.coding == "lossless":  # without YBR, which libjpeg does not convert there
        version = features.version_feature("libjpeg_turbo") or "0"
        return stream.space != "YBR_FULL" and int(version.partition(".")[0]) >= 3
    return stream.coding == "lossy"


def _by_pillow(frame, stream, space):
    """Decode a stream of 8 bits; lossy YBR becomes RGB as it does in a JPEG file."""
    with Image.open(io.BytesIO(frame), formats=("JPEG", "JPEG2000")) as image:
        lossy = stream.coding == "lossy" and stream.components == 3
        if lossy and space == "RGB" and stream.space is None:
            image.draft("YCbCr", image.size)  # libjpeg would take it for YBR: leave the samples as they are
        samples = np.array(image)
    if samples.shape[:2][::-1] != stream.size or samples[0, 0].size != stream.components:
        raise ValueError(f"the stream decodes to the shape {samples.shape}")
    return samples, "RGB" if lossy else space


def _decoder(syntax, name):
    from pydicom.pixels import get_decoder

    try:
        return get_decoder(syntax)
    except NotImplementedError:
        raise LesionImageError(name, f"found {syntax.name}", "Convert it to JPEG or an uncompressed syntax.") from None


def _by_pydicom(ds, syntax, name, **options):
    decoder = _decoder(syntax, name)
    plugins = decoder.available_plugins if syntax.is_encapsulated else ()
    weak = {"pillow", "gdcm"} if syntax == JPEG_EXTENDED else {"pillow"} if ds.SamplesPerPixel > 1 else set()
    limited = plugins and ds.BitsStored > 8 and weak.issuperset(plugins)
    if not decoder.is_available or limited:
        package = next(package for start, package in PACKAGES.items() if syntax.name.startswith(start))
        found = f"found {ds.BitsStored} bits as {syntax.name}, for which no decoder is installed"
        raise LesionImageError(name, found, f"pip install {package}")
    samples, properties = decoder.as_array(ds, index=0, raw=True, **options)
    return samples, str(properties["photometric_interpretation"])
