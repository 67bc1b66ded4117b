"""The figures that the runs are held to, or only read for."""

from dataclasses import dataclass

from benchmarks.amplifier_peers import COARSE, bvp_at
from benchmarks.amplifier_peers import FINE as FINE_BVP
from benchmarks.amplifiers import CLOSED, LOSSY
from benchmarks.by_size import OURS, power_of_ten
from benchmarks.by_size import name_of as name_of_size
from benchmarks.ensembles import DTYPES
from benchmarks.exponentials import LOOP_EXPM, VMAP_EXPM
from benchmarks.fits import LMFIT, LMFIT_AS_IT_IS, SCIPY, TOLERANCES, optimistix_at
from benchmarks.floor import FLOOR
from benchmarks.grids import GRIDS, on_nodes, to_rtol
from benchmarks.grids import TOLERANCES as GRID_TOLERANCES
from benchmarks.jobs import ALONE
from benchmarks.kinetics import PROBLEMS
from benchmarks.lasers import AT_PEERS, SIZES
from benchmarks.machine import COPY, RATE
from benchmarks.ode import RTOL, diffrax_at, lsoda_at
from benchmarks.peers import LOOP, NUMPY, VMAP, VMAP_GIVEN
from benchmarks.steps import name_of
from benchmarks.stiff_peers import FINE, METHODS, coarse, numbalsoda_at, scipy_by
from benchmarks.stiff_peers import RTOL as PEERS_RTOL

Key = tuple[str, str]
"""Job and name of an entry."""

J1, J2, J3, FIT = (("J1", "jaxrate"), ("J2", "jaxrate"), ("J3", "jaxrate"), ("FIT", "jaxrate"))
BILLION = ("BILLION", "mean and maximum, stored")
GRADIENT, DECAY_GRADIENT = ("J4", "value and gradient"), ("J2G", "value and gradient")
DIFFRAX, LSODA = diffrax_at(RTOL), lsoda_at(RTOL)
N1, N3 = ("N1", "jaxrate"), ("N3", "jaxrate")
A1, A1G = ("A1", "jaxrate"), ("A1G", "value and gradient")
A2 = ("A2", CLOSED), ("A2", LOSSY)
BVP, BVP_FINE = ("A1", bvp_at(COARSE)), ("A1", bvp_at(FINE_BVP))
NUMBALSODA = numbalsoda_at(PEERS_RTOL)
COPIES = ("MACHINE", COPY)
COARSELY = tuple(coarse(name) for name in (*map(scipy_by, METHODS), NUMBALSODA))

HELD = 5
"""Populations of the lasers whose steps are held to what their operations cost; those of N1."""
J2_FLOORS = {"float64": 0.2e-9, "float32": 0.1e-9}
"""Of an ensemble of J2 on an H200 [s]: what its arithmetic or its output would take, whichever is more."""


@dataclass(frozen=True)
class Figure:
    """A figure that the runs are held to, or only read for.

    Attributes:
        what: In words.
        of: The entry it is read from.
        over: The entry it is divided by, in time per ensemble unless `fact` says otherwise; None for a figure with a
            unit.
        fact: Key of what is read: "seconds", "core_seconds" (over every core that was busy), "operation_seconds" (the
            same of an operation), "error", or one of the entry's facts.
        at_most, at_least: Its bounds at full size.
        on: Device on which it is held to them. What is held on a GPU is shown only of one.
        dtypes: Precisions that it is of.
    """

    what: str
    of: Key
    over: Key | None = None
    fact: str = "seconds"
    at_most: float | None = None
    at_least: float | None = None
    on: str = "cpu"
    dtypes: tuple[str, ...] = DTYPES

    @property
    def bound(self) -> str:
        """What it is held to, in words."""
        ends = {"at most": self.at_most, "at least": self.at_least}
        return " and ".join(f"{words} {self.show(end)}" for words, end in ends.items() if end is not None)

    def show(self, value: float) -> str:
        """The value with its unit."""
        if self.fact == "bandwidth":
            return f"{100 * value:.0f} %" if self.over else bandwidth_text(value)
        if self.over is not None:
            return _scaled(value, ("x", 1.0))
        if self.fact == "rate":
            return rate_text(value)
        if self.fact.endswith("ratio"):
            return f"{value:.2f}"
        if self.fact.endswith("error"):
            return f"{value:.1e}"
        if self.fact.endswith("lanes"):
            return f"{value:.0f}"
        return size_text(value) if self.fact.endswith("bytes") else time_text(value)

    def met(self, value: float) -> bool:
        """Whether it is within its bounds."""
        return (self.at_most is None or value <= self.at_most) and (self.at_least is None or value >= self.at_least)


def _of_lasers() -> list[Figure]:
    """N1 with its peers, N3, POWER."""
    return [
        Figure("error of N1", N1, fact="error", at_most=1e-7),
        Figure("wrong lanes of N1, of 24", N1, fact="wrong_lanes", at_most=0),
        *(Figure(f"the same of {name}", ("N1", name), fact="wrong_lanes") for name in COARSELY),
        Figure(f"{DIFFRAX} over N1", ("N1", DIFFRAX), N1, at_least=80),
        Figure(f"{NUMBALSODA} over N1", ("N1", NUMBALSODA), N1, at_least=4),
        Figure(f"{numbalsoda_at(FINE)} over N1", ("N1", numbalsoda_at(FINE)), N1),
        Figure(f"{NUMBALSODA} over {AT_PEERS}, in N1", ("N1", NUMBALSODA), ("N1", AT_PEERS)),
        *(Figure(f"{name} over N1, core time", ("N1", name), N1, "core_seconds") for name in map(scipy_by, METHODS)),
        Figure("N3: 10^6 output powers", N3, at_most=10),
        Figure("error of the output power in N3", N3, fact="error"),
        Figure("energy balance of N3, largest gap", N3, fact="balance_error", at_most=1e-10),
        Figure(
            "POWER with gradient over POWER without", ("POWER", "value and gradient"), ("POWER", "value"), at_most=3
        ),
    ]


def _of_amplifiers() -> list[Figure]:
    """A1 with its peer, A1G, A2."""
    return [
        Figure("A1: an amplifier", A1, fact="lane_seconds", at_most=5e-3),
        Figure("error of A1, signals", A1, fact="error", at_most=1e-8),
        Figure("error of A1, noise", A1, fact="noise_error", at_most=1e-6),
        *(Figure(f"{name} over A1", (job, name), A1, at_least=200) for job, name in (BVP, BVP_FINE)),
        *(Figure(f"{name} over A1, core time", (job, name), A1, "core_seconds") for job, name in (BVP, BVP_FINE)),
        *(Figure(f"error of {name}, signals", (job, name), fact="error") for job, name in (BVP, BVP_FINE)),
        *(Figure(f"error of {name}, noise", (job, name), fact="noise_error") for job, name in (BVP, BVP_FINE)),
        Figure("A1G with gradient over A1G without", A1G, ("A1G", "value"), at_most=5),
        Figure("error of the gradient in A1G", A1G, fact="error", at_most=1e-6),
        *(Figure(f"A2: an amplifier, {name}", (job, name), fact="lane_seconds", at_most=5e-5) for job, name in A2),
        *(Figure(f"error of A2, {name}", (job, name), fact="error", at_most=1e-8) for job, name in A2),
    ]


def _of_grids() -> list[Figure]:
    """GRIDS: error and order of each grid; of each tolerance the error, and what the solver says that it is."""
    on, to = [("GRIDS", on_nodes(num)) for num in GRIDS], {("GRIDS", to_rtol(rtol)): rtol for rtol in GRID_TOLERANCES}
    least = "GRIDS: least estimate over error"
    return [
        *(Figure(f"GRIDS: error on {entry[1]}", entry, fact="error") for entry in on),
        *(Figure(f"GRIDS: order from the grid before to {entry[1]}", entry, fact="order_ratio") for entry in on[1:-1]),
        *(Figure(f"GRIDS: error to {entry[1]}", entry, fact="error", at_most=rtol) for entry, rtol in to.items()),
        *(Figure(f"GRIDS: estimate to {entry[1]}", entry, fact="estimate_error", at_most=r) for entry, r in to.items()),
        *(Figure(f"{least}, to {entry[1]}", entry, fact="honesty_ratio", at_least=1) for entry in to),
    ]


def _of_reactions(job: str) -> list[Figure]:
    """N2 with its peers."""
    ours, scipy = (job, "jaxrate"), map(scipy_by, METHODS)
    return [
        Figure(f"{DIFFRAX} over {job}", (job, DIFFRAX), ours, at_least=40),
        Figure(f"{NUMBALSODA} over {job}", (job, NUMBALSODA), ours, at_least=4),
        *(Figure(f"{name} over {job}, core time", (job, name), ours, "core_seconds") for name in scipy),
        Figure(f"{job}, deviation from the published end", ours, fact="end_error", at_most=1e-6),
    ]


def _of_steps(num_populations: int) -> list[Figure]:
    """STEPS of one size."""
    entry, what = ("STEPS", name_of(num_populations)), f"{num_populations} populations"
    return [
        Figure(f"STEPS: a lane's step, {what}", entry, fact="step_seconds"),
        Figure(f"STEPS: the slowest lane over the mean one, {what}", entry, fact="slowest_ratio"),
        Figure(
            f"STEPS: a lane's step over what its operations cost at the rate of J2, {what}",
            entry,
            J2,
            "operation_seconds",
            at_most=2 if num_populations == HELD else None,
        ),
    ]


def _of_machine() -> list[Figure]:
    """MACHINE: what the other figures are shares of."""
    return [
        Figure("copy bandwidth", COPIES, fact="bandwidth"),
        Figure("rate of multiply-adds", ("MACHINE", RATE), fact="rate"),
    ]


def _of_gpu() -> list[Figure]:
    """What is held to on a GPU."""
    many = ("SIZES", name_of_size(OURS["J2"], 10**7))
    return [
        *(
            Figure(
                f"J1's share of the copy bandwidth, {power_of_ten(size)} ensembles",
                ("SIZES", name_of_size(OURS["J1"], size)),
                COPIES,
                "bandwidth",
                at_least=0.5,
                on="gpu",
            )
            for size in (10**7, 10**8)
        ),
        *(
            Figure(
                f"J2: an ensemble of 10^7, floor {time_text(floor)}",
                many,
                fact="ensemble_seconds",
                at_most=3 * floor,
                on="gpu",
                dtypes=(dtype,),
            )
            for dtype, floor in J2_FLOORS.items()
        ),
        Figure(f"{DIFFRAX} over N1, both on the GPU", ("N1", DIFFRAX), N1, at_least=50, on="gpu"),
    ]


def time_text(seconds: float) -> str:
    """Three digits and the unit that suits: "1.23 ns"."""
    return _scaled(seconds, ("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9))


def duration_text(seconds: float) -> str:
    """The same of long times: "1.5 h"."""
    year = 365.25 * 86400
    return _scaled(seconds, ("years", year), ("days", 86400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0))


def size_text(size: float) -> str:
    """Three digits and the unit that suits: "512 MB"."""
    return _scaled(size, ("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3))


def bandwidth_text(bandwidth: float) -> str:
    """Three digits and the unit that suits: "35.1 GB/s"."""
    return _scaled(bandwidth, ("TB/s", 1e12), ("GB/s", 1e9), ("MB/s", 1e6))


def rate_text(rate: float) -> str:
    """Three digits and the unit that suits: "1.2 TFLOP/s"."""
    return _scaled(rate, ("TFLOP/s", 1e12), ("GFLOP/s", 1e9), ("MFLOP/s", 1e6))


def _scaled(value: float, *units: tuple[str, float]) -> str:
    name, factor = next((u for u in units if value >= 0.9995 * u[1]), units[-1])
    return f"{value / factor:.3g} {name}" if value < 999.5 * factor else f"{value / factor:.0f} {name}"


FIGURES = (
    *_of_machine(),
    *_of_gpu(),
    Figure("J1 over hand-written C", J1, ("J1", FLOOR), at_most=2),
    Figure("J1 over hand-written C, XLA on one thread", ("J1", ALONE), ("J1", FLOOR), at_most=2),
    Figure(f"{VMAP} over J1", ("J1", VMAP), J1, at_least=20),
    Figure(f"{VMAP_GIVEN} over J1", ("J1", VMAP_GIVEN), J1, at_least=20),
    Figure(f"{NUMPY} over J1", ("J1", NUMPY), J1),
    Figure(f"{LOOP} over J1", ("J1", LOOP), J1),
    Figure("J2 over hand-written C", J2, ("J2", FLOOR), at_most=1.5),
    Figure("J2 over hand-written C, XLA on one thread", ("J2", ALONE), ("J2", FLOOR), at_most=1.5),
    Figure(f"{DIFFRAX} over J2", ("J2", DIFFRAX), J2, at_least=200),
    Figure(f"error of J2 over that of {DIFFRAX}", J2, ("J2", DIFFRAX), fact="error", at_most=1),
    Figure(f"{VMAP_EXPM} over J2", ("J2", VMAP_EXPM), J2),
    Figure(f"{LOOP_EXPM} over J2", ("J2", LOOP_EXPM), J2),
    Figure(f"{LSODA} over J2", ("J2", LSODA), J2),
    Figure("J2 with gradient over J2", ("J2", "value and gradient"), J2),
    Figure("J2G with gradient over J2G without", DECAY_GRADIENT, ("J2G", "value"), at_most=3),
    Figure(f"{DIFFRAX} over J3", ("J3", DIFFRAX), J3, at_least=50),
    Figure(f"error of J3 over that of {DIFFRAX}", J3, ("J3", DIFFRAX), fact="error", at_most=1),
    Figure(f"{VMAP_EXPM} over J3", ("J3", VMAP_EXPM), J3),
    Figure(f"{LOOP_EXPM} over J3", ("J3", LOOP_EXPM), J3),
    Figure(f"{LSODA} over J3", ("J3", LSODA), J3),
    Figure("J3 with gradient over J3", ("J3", "value and gradient"), J3),
    Figure("J4 with gradient over J1", GRADIENT, J1, at_most=3),
    Figure("J4 with gradient over J4 without", GRADIENT, ("J4", "value")),
    Figure("SWEEP of 10^6, gain stored", ("SWEEP", "gain stored"), at_most=0.5),
    Figure("REDUCE of 10^8", ("REDUCE", "mean and maximum"), at_most=30),
    Figure("REDUCE of 10^8, peak resident memory", ("REDUCE", "mean and maximum"), fact="peak_bytes", at_most=1e9),
    Figure("STORE of 10^8 over the same in memory", ("STORE", "in a store"), ("STORE", "in memory"), at_most=1.3),
    Figure("BILLION: 10^9 reduced", BILLION, at_most=180),
    Figure("BILLION, peak resident memory", BILLION, fact="peak_bytes", at_most=1e9),
    Figure("BILLION, estimated time over time taken", BILLION, fact="estimate_ratio", at_most=1.3, at_least=0.7),
    Figure("FIRST call, 4 levels", ("FIRST", "4 levels"), at_most=2),
    Figure("FIRST call, 40 levels, 160 processes", ("FIRST", "40 levels, 160 processes"), at_most=10),
    Figure(f"{LMFIT} over FIT", ("FIT", LMFIT), FIT, at_least=100),
    Figure(f"{LMFIT_AS_IT_IS} over FIT", ("FIT", LMFIT_AS_IT_IS), FIT, at_least=100),
    Figure(f"{SCIPY} over FIT", ("FIT", SCIPY), FIT, at_least=30),
    *(Figure(f"{name} over FIT", ("FIT", name), FIT, at_least=1) for name in map(optimistix_at, TOLERANCES)),
    Figure("largest deviation of FIT from the minimum", FIT, fact="error", at_most=1e-8),
    Figure("import of jaxrate", ("FIRST", "4 levels"), fact="import_seconds"),
    *_of_lasers(),
    *_of_amplifiers(),
    *_of_grids(),
    *(figure for job in PROBLEMS for figure in _of_reactions(job)),
    *(figure for num in SIZES for figure in _of_steps(num)),
)
