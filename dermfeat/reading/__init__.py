"""References to pixels: each image is decoded once, and known by a digest of its content."""

from dermfeat.reading.dicom_attributes import dicom_attributes
from dermfeat.reading.hdf5 import hdf5_references
from dermfeat.reading.npz import npz_table
from dermfeat.reading.references import MAX_PIXELS, Source, as_references, sources
from dermfeat.reading.tfrecord import tfrecord_table

__all__ = [
    "MAX_PIXELS",
    "Source",
    "as_references",
    "dicom_attributes",
    "hdf5_references",
    "npz_table",
    "sources",
    "tfrecord_table",
]
