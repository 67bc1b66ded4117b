"""How large each job is: read before JAX is imported, so it imports nothing."""

LANES = {
    "MACHINE": 2**26,
    "J1": 2**22,
    "J2": 2**17,
    "J2G": 2**17,
    "J3": 2**14,
    "J4": 2**22,
    "SIZES": 10**8,
    "LEVELS": 2**20,
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
"""Ensembles of each job at full size, of MACHINE numbers; of SIZES and LEVELS the most, theirs are below."""

STEADY_SIZES = tuple(10**k for k in range(9))
PATH_SIZES = PEER_SIZES = tuple(10**k for k in range(7))
REMOTE_PATH_SIZES = (*PATH_SIZES, 10**7)
"""SIZES: ensembles of J1 by jaxrate, of J2, of J1 by others, and of J2 on an accelerator, which needs more of them."""

STEADY_LEVELS = {
    **{2: 2**20, 3: 2**20, 4: 2**20, 6: 2**19, 8: 2**18},
    **{12: 2**16, 16: 2**15, 24: 2**14, 32: 2**13, 40: 2**13},
}
PATH_LEVELS = {
    **{2: 2**17, 3: 2**17, 4: 2**17, 6: 2**15, 8: 2**14},
    **{12: 2**12, 16: 2**11, 24: 2**10, 32: 2**9, 40: 2**8},
}
SOLVE_LEVELS = {
    **{2: 2**17, 3: 2**17, 4: 2**17, 6: 2**17, 8: 2**16},
    **{12: 2**16, 16: 2**15, 24: 2**14, 32: 2**13, 40: 2**13},
}
EXPM_LEVELS = {
    **{2: 2**13, 3: 2**13, 4: 2**13, 6: 2**13, 8: 2**13},
    **{12: 2**12, 16: 2**12, 24: 2**10, 32: 2**9, 40: 2**9},
}
"""LEVELS: ensembles by number of levels, such that a call takes some 50 ms on two cores: of steady states and paths by
jaxrate, and of dense solvers and matrix exponentials, whose time per ensemble does not depend on their number there."""


def is_full(job: str, lanes: int) -> bool:
    """Whether a job has all its ensembles; in SIZES every line has its own number of them."""
    return job == "SIZES" or lanes == LANES[job]
