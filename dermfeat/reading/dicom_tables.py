"""The tables through which stored DICOM samples become 8 bit: palette, rescale, window."""

import numpy as np


def scaled_table(bits, dtype):
    """Return the (2**n,) uint8 ndarray that scales each value of the unsigned `dtype`, of which `bits` are used."""
    values = np.arange(2 ** (8 * dtype.itemsize))
    return np.rint(values.clip(max=2**bits - 1) * (255 / (2**bits - 1))).astype(np.uint8)


def gray_table(ds, dtype):
    """Return the 8 bit gray of everything a sample can be.

    Modality and VOI transformation of DICOM PS3.3, C.11.1 and C.11.2, with the first item or window where there are
    several. MONOCHROME1 is turned round, so that 255 is white.

    Parameters
    ----------
    ds : pydicom.Dataset
    dtype : NumPy dtype of 8 or 16 bit

    Returns
    -------
    (2**n,) uint8 ndarray
        Indexed by the sample's bits as an unsigned number.
    """
    values = np.arange(2 ** (8 * dtype.itemsize), dtype=f"u{dtype.itemsize}").view(dtype).astype(np.int64)
    low = -(2 ** (ds.BitsStored - 1)) if ds.PixelRepresentation else 0
    fraction = _voi(ds, *_modality(ds, values, low, low + 2**ds.BitsStored - 1))
    if ds.PhotometricInterpretation == "MONOCHROME1":
        fraction = 1 - fraction
    return np.rint(255 * fraction).astype(np.uint8)


def _modality(ds, values, low, high):
    """Return the output of rescale or modality table, and its range."""
    values = values.clip(low, high)
    if ds.get("ModalityLUTSequence"):
        table, first, bits = _item_table(ds, ds.ModalityLUTSequence[0])
        return _looked_up(table, values, first), 0, 2**bits - 1
    slope, intercept = (ds.get(keyword) for keyword in ("RescaleSlope", "RescaleIntercept"))
    if slope is None or intercept is None:
        return values, low, high
    if not float(slope):
        raise ValueError("RescaleSlope is 0")
    ends = sorted((low * float(slope) + float(intercept), high * float(slope) + float(intercept)))
    return values * float(slope) + float(intercept), *ends


def _voi(ds, values, low, high):
    """Return the output of VOI table or window as a fraction of its range."""
    if ds.get("VOILUTSequence"):
        table, first, bits = _item_table(ds, ds.VOILUTSequence[0])
        return _looked_up(table, np.rint(values).astype(np.int64), first) / (2**bits - 1)
    center, width = (_first(ds.get(keyword)) for keyword in ("WindowCenter", "WindowWidth"))
    if center is None or width is None:
        return (values - low) / (high - low)
    function = (ds.get("VOILUTFunction") or "LINEAR").upper()
    if width < 1 if function == "LINEAR" else width <= 0:
        raise ValueError(f"WindowWidth is {width:g}")
    if function == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -50, 50)))
    if function == "LINEAR":
        center, width = center - 0.5, max(width - 1, 1e-9)
    elif function != "LINEAR_EXACT":
        raise ValueError(f"VOILUTFunction is {function}")
    return ((values - center) / width + 0.5).clip(0, 1)


def _first(value):
    if value is None or value == "":
        return None
    return float(np.atleast_1d(value)[0])


def palette_table(ds, dtype):
    """Return the (2**n, 3) uint8 RGB ndarray of each value of the unsigned `dtype` (DICOM PS3.3, C.7.6.3.1.5)."""
    values = np.arange(2 ** (8 * dtype.itemsize))
    channels = []
    if "RedPaletteColorLookupTableDescriptor" not in ds:
        raise ValueError("it has no palette")
    for color in ("Red", "Green", "Blue"):
        keyword = f"{color}PaletteColorLookupTable"
        count, first, bits = _descriptor(ds[f"{keyword}Descriptor"].value)
        if f"Segmented{keyword}Data" in ds:
            table = _expanded(ds[f"Segmented{keyword}Data"].value, count, bits, _order(ds))
        else:
            table = _entries(ds[f"{keyword}Data"].value, count, _order(ds))
        channels.append(_looked_up(table, values, first))
    colors = np.stack(channels, axis=1)
    return (np.rint(colors / 257) if colors.max() > 255 else colors).astype(np.uint8)


def _item_table(ds, item):
    count, first, bits = _descriptor(item.LUTDescriptor)
    return _entries(item.LUTData, count, _order(ds)), first, bits


def _descriptor(value):
    count, first, bits = (int(number) for number in value)
    if not 8 <= bits <= 16:
        raise ValueError(f"a table of {bits} bits")
    return count % 65536 or 65536, first, bits


def _order(ds):
    return "<" if ds.original_encoding[1] else ">"


def _entries(data, count, order):
    """Return a table's `count` entries; 8 bit ones may be packed, two to a word."""
    if isinstance(data, bytes):
        entries = np.frombuffer(data, f"{order}u2", len(data) // 2)
        if len(entries) < count:
            entries = entries.astype("<u2").view(np.uint8)
    else:
        entries = np.atleast_1d(np.asarray(data, np.uint16))
    if len(entries) < count:
        raise ValueError(f"a table of {len(entries)} entries where {count} are stated")
    return entries[:count].astype(np.int64)


def _expanded(data, count, bits, order):
    """Return the entries of a segmented table (DICOM PS3.3, C.7.9.2) of discrete and linear segments."""
    words = np.frombuffer(data, f"{order}u2", len(data) // 2)
    words = (words if bits > 8 else words.astype("<u2").view(np.uint8)).astype(np.int64)
    table, position = np.empty(0, np.int64), 0
    while len(table) < count:
        kind, length = words[position : position + 2]
        if kind == 0:
            part = words[position + 2 : position + 2 + length]
            position += 2 + length
        elif kind == 1 and len(table):
            part = np.rint(np.linspace(table[-1], words[position + 2], length + 1)[1:]).astype(np.int64)
            position += 3
        else:
            raise ValueError(f"a palette with a segment of type {kind} at {position}; 0 and 1 are read")
        table = np.append(table, part)
    return table[:count]


def _looked_up(table, values, first):
    """Return the table's entry for each value; those outside take the nearest."""
    return table[np.clip(values - first, 0, len(table) - 1)]
