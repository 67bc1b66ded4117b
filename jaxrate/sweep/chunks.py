"""Stored arrays: zarr, one chunk a work unit, each a file of numbers and their checksum.

Zarr reads them and finds a flipped bit. They are written here, to the same format, since zarr copies a chunk three
times on its way to the disk: writing then took longer than solving. Floating-point numbers are stored as they are (they
hardly compress), codes of a status compressed.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import zarr
from numcodecs.zstd import Zstd
from zarr.codecs import Crc32cCodec, ZstdCodec

from jaxrate.sweep.partial import beside

Region = tuple[slice, ...]


def create(
    group: zarr.Group,
    name: str,
    shape: Sequence[int],
    chunk: Sequence[int],
    dtype: np.dtype,
    fill: float,
    dims: Sequence[str],
    attrs: Mapping[str, Any],
) -> None:
    """Make an empty array."""
    group.create_array(
        name,
        shape=tuple(shape),
        chunks=tuple(chunk),
        dtype=dtype.newbyteorder("<"),
        compressors=ZstdCodec(level=1, checksum=True) if dtype.kind == "i" else Crc32cCodec(),
        fill_value=fill,
        dimension_names=list(dims),
        attributes={key: x.tolist() if isinstance(x, np.ndarray) else x for key, x in attrs.items()},
    )


def write(folder: Path, array: zarr.Array, region: Region, values: np.ndarray) -> int:
    """Write a chunk, whole or not at all.

    Args:
        folder: Of the array.
        array: The array.
        region: The part of the array that the chunk is.
        values: Its numbers, of the region's shape.

    Returns:
        Their checksum, CRC-32C.
    """
    data = _whole_chunk(array, values)
    checksum = google_crc32c.value(data)
    path = chunk_path(folder, array, region)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = beside(path)
    try:
        with partial.open("wb", buffering=0) as file:
            for part in _encoded(data, array, checksum):
                _write_all(file, memoryview(part))
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return checksum


def checksum(array: zarr.Array, region: Region) -> int | None:
    """Checksum of a chunk as zarr reads it; None where it cannot be read."""
    try:
        return google_crc32c.value(_whole_chunk(array, np.asarray(array[region])))
    except Exception:  # zarr and its codecs raise what they like at damaged files
        return None


def chunk_path(folder: Path, array: zarr.Array, region: Region) -> Path:
    """File of a chunk."""
    index = tuple((part.start or 0) // n for part, n in zip(region, array.chunks, strict=True))
    return folder / array.metadata.encode_chunk_key(index)


def _whole_chunk(array: zarr.Array, values: np.ndarray) -> np.ndarray:
    """Bytes of a chunk; one at the end of the array is filled up, as chunks of zarr are of one size."""
    values = np.asarray(values, array.dtype.newbyteorder("<"), order="C")
    if values.shape != array.chunks:
        whole = np.full(array.chunks, array.fill_value, values.dtype)
        whole[tuple(slice(0, n) for n in values.shape)] = values
        values = whole
    return values.reshape(-1).view(np.uint8)


def _encoded(data: np.ndarray, array: zarr.Array, checksum: int) -> tuple[Any, ...]:
    """Parts of a file, as the codecs of the array read them."""
    if array.dtype.kind == "i":
        return (Zstd(level=1, checksum=True).encode(data),)
    return data, checksum.to_bytes(4, "little")


def _write_all(file: Any, data: memoryview) -> None:
    while data:
        data = data[file.write(data) :]
