"""How large each job is: read before JAX is imported, so it imports nothing."""

LANES = {
    "J1": 2**22,
    "J2": 2**17,
    "J2G": 2**17,
    "J3": 2**14,
    "J4": 2**22,
    "SWEEP": 10**6,
    "REDUCE": 10**8,
    "STORE": 10**8,
    "BILLION": 10**9,
    "FIRST": 2**14,
    "FIT": 10_000,
    "N1": 4096,
    "N2 Robertson": 2**16,
    "N2 Oregonator": 2**16,
    "N3": 10**6,
    "POWER": 10_000,
    "STEPS": 256,
    "A1": 1000,
    "A1G": 256,
    "A2": 10**5,
    "GRIDS": 8,
}
"""Ensembles of each job at full size."""
