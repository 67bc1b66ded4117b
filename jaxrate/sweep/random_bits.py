"""Random bits for an index of 64 bits, a seed and a name: nothing else enters, so anyone may compute any of them."""

import hashlib

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.extend.random import threefry_2x32


def random_bits(seed: int, name: str, index: Array) -> Array:
    """64 bits for each index: the index encrypted by Threefry-2x32 with a key made of seed and name.

    Args:
        seed: From 0 to 2^64 - 1.
        name: Whatever the bits are for.
        index: uint64, shape (lane,); under `jax.enable_x64(True)`.

    Returns:
        uint64, shape (lane,): different for different indices.

    Source:
        J. K. Salmon et al., *Parallel random numbers: as easy as 1, 2, 3*, SC11 (2011), section 3.
    """
    key = _words(seed, name)
    words = threefry_2x32((key[0], key[1]), jnp.concatenate([index >> 32, index & 0xFFFFFFFF]).astype(jnp.uint32))
    high, low = jnp.split(words.astype(jnp.uint64), 2)
    return high << 32 | low


def random_shift(seed: int, name: str) -> int:
    """64 bits for seed and name alone, independent of `random_bits`."""
    words = _words(seed, name)
    return int(words[2]) << 32 | int(words[3])


def _words(seed: int, name: str) -> np.ndarray:
    """Eight words of 32 bits, a hash of seed and name."""
    digest = hashlib.sha256(seed.to_bytes(8, "big") + name.encode()).digest()
    return np.frombuffer(digest, ">u4").astype(np.uint32)
