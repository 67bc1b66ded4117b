"""What one must know to read the tables of a run."""

from collections.abc import Mapping
from typing import Any

from benchmarks import by_levels, by_size, grids
from benchmarks.amplifiers import JUDGED_SIGNALS
from benchmarks.amplifiers import JUDGED_SLOPES as JUDGED_AMPLIFIERS
from benchmarks.kinetics import PROBLEMS
from benchmarks.stiff import JUDGED as JUDGED_STIFF
from benchmarks.stiff_peers import FINE, MAX_STEPS
from benchmarks.transients import JUDGED, JUDGED_SLOPES

NOTES = (
    "Time and time per ensemble are medians over the rounds, with the least and the most in brackets. The cases take "
    "turns; in its turn a case is called up to nine times for a second, and the best counts, as the C program times "
    "itself. Every call returns new arrays (jaxrate puts them into memory of results no longer used); the C program "
    "reuses its own.",
    "Compilation is apart, except in FIRST, whose time is that of the whole first call in a new process without a "
    "compilation cache, import not included.",
    "The error is the largest relative one against a 50-digit solution, on a sample of ensembles: of populations and "
    "inversion in J1, of the inversion or its six derivatives in J4, of the gain in SWEEP, of the mean and the maximum "
    "in REDUCE and BILLION, of two corners of the map in STORE, of all populations in FIRST. `busy` is the number of "
    "cores kept busy.",
)
NOTES_OF_MACHINE = (
    "MACHINE: a copy counts the bytes that it reads and those that it writes, into memory used before; multiply-adds "
    "are chains that stay in registers, eight side by side, two operations each. An ensemble there is a number.",
)
NOTES_OF_CURVES = (
    f"SIZES is J1 and J2 over the number of ensembles; beyond {by_size.power_of_ten(by_size.DRAWN)} those that were "
    f"drawn are taken again and again. LEVELS are random media of so many levels, of which pump rate, intensity and a "
    "decay vary: the populations of the steady state, and that of one level at 100 even times; the libraries are given "
    f"the rate matrices. {by_size.JUDGED} ensembles are judged in J1, {by_size.JUDGED_PATHS} in J2, "
    f"{by_levels.JUDGED} steady states and {by_levels.JUDGED_PATHS} path of each number of levels.",
)
NOTES_OF_FITS = (
    "FIT: an ensemble is a fit. 10,000 replicas of one measurement of saturable absorption, 60 points with 1 % noise, "
    "are fitted in 4 parameters from one start; every program is told the closed form. `of a medium` fits as many "
    "saturated gains of J1's medium, each prediction solved as a steady state. The error is the largest relative "
    "deviation of a parameter from the minimum of chi-squared, found in long double.",
)
NOTES_IN_TIME = (
    "J2 is the inversion of J1's medium at 100 times, 0.1 ms apart, from all in level 0; J3 at 100 times over 8 "
    "decades, from 1 ns to 0.1 s; J2G the trapezoidal integral over the population of level 2 at the times of J2. "
    "`value and gradient` is by pump rate, B, quenching rate and intensity.",
    "An inversion passes through zero. So the error of a curve, of every program alike, is its largest deviation over "
    "the largest value of the exact curve; of J2G it is relative. "
    f"{JUDGED} ensembles are judged, {JUDGED_SLOPES} with derivatives.",
    "Slower programs take fewer ensembles: the time of one does not depend on their number there. diffrax is the "
    "quicker of Kvaerno3 and Kvaerno5 at the best of three batch sizes, found in a trial of each tolerance before the "
    "first round (which is also when it compiles), with an absolute tolerance for each population; it interpolates "
    "between its steps. LSODA computes in float64 only.",
)
NOTES_OF_LASERS = (
    "N1 is the turn-on of random four-level lasers through their relaxation oscillations, all populations and photons "
    "at 50 times, from all in level 0 and no light; N2 are the reactions of Robertson and the Oregonator over their "
    "rate constants; N3 is the steady state of a laser over every pair of pump and loss. POWER is the steady output "
    "power of random lasers, with its derivatives by ten parameters.",
    f"The error of N1 and N2 is the largest of {JUDGED_STIFF} ensembles at most, all times and all populations against "
    "SciPy's Radau at a relative tolerance of 1e-12: over the peak of the population, but relative of photons "
    "below 1e-4 of their peak, and relative of all in N2. That of N3 and POWER is relative to closed forms, of N3 in "
    "every pair. A lane is wrong that is off by more than 1 % of a peak anywhere, or without numbers.",
    "The libraries are given a relative tolerance of 1e-6, and absolute ones that resolve the first photons, except in "
    "the lines with one `atol` for all. jaxrate takes its own absolute tolerances, and in N1 a relative one that "
    f"brings its error below 1e-7, which numbalsoda nearly reaches at {FINE:.0e}. All are compared on all cores; "
    "SciPy, which uses one, in core time: time times `busy`. They take fewer ensembles: the time of one does not "
    f"depend on their number. diffrax's error is that of the ensembles it ends within {MAX_STEPS:,} steps. A program "
    "that is not in the table was not installed.",
    "STEPS: lasers of so many populations, one block of ensembles through the stiff engine at a relative tolerance of "
    "1e-6; the step is time over all steps of all ensembles, rejected ones among them, of the cores in `busy`. Its "
    "operations, and those of J2, are counted in what JAX traces of them, and compared in core time.",
)
NOTES_OF_AMPLIFIERS = (
    "A1 is an amplifier of 8 m of erbium-doped fibre (6 to 10 m, random powers and densities): 40 signals, a pump and "
    "spontaneous emission both ways in 100 bins, 241 channels; what leaves it, in all of them. Its error is the "
    f"largest of pump and signals of {grids.JUDGED} amplifiers, that of noise of every bin, against a grid of "
    f"{grids.FINE} nodes of our own. scipy.integrate.solve_bvp, on a mesh of its own, is judged by the same: powers in "
    "microwatts, analytic Jacobians, a transported guess, one core, few amplifiers. PyFiberAmp is in no package index "
    "and is left out.",
    f"A1G is the power of the 40 signals of the same amplifiers, with derivatives by length, pump and B; their error "
    f"is that of logarithmic derivatives of {JUDGED_AMPLIFIERS} amplifiers against finite differences of fourth order, "
    "relative where they are above 1.",
    f"A2 is the gain of 40 signals with a pump and without noise. The error is the largest of {JUDGED_SIGNALS} "
    "amplifiers, without loss against the root of the closed form by bisection, with loss against DOP853 of SciPy at a "
    "relative tolerance of 1e-13.",
    "GRIDS: the largest error of all channels that leave an amplifier on grids of so many nodes, and of the solver to "
    f"a tolerance, against {grids.FINE} nodes, of as many amplifiers. The order is that at which the error falls with "
    "the distance of nodes, from the grid before to this one: it grows, as the convergence is exponential, until "
    "rounding. The least estimate over error is that of any amplifier, both as 1e-13 where they are below.",
)
IN_TIME = ("J2", "J2G", "J3")
LASERS = ("N1", *PROBLEMS, "N3", "POWER", "STEPS")
AMPLIFIERS = ("A1", "A1G", "A2", "GRIDS")


def notes(run: Mapping[str, Any]) -> tuple[str, ...]:
    """What one must know to read the tables."""
    jobs = {entry["job"] for entry in run["entries"]}
    found = NOTES + (NOTES_OF_MACHINE if "MACHINE" in jobs else ())
    found += NOTES_OF_CURVES if jobs & {"SIZES", "LEVELS"} else ()
    found += (NOTES_IN_TIME if jobs & {*IN_TIME} else ()) + (NOTES_OF_FITS if "FIT" in jobs else ())
    found += NOTES_OF_LASERS if jobs & {*LASERS} else ()
    return found + (NOTES_OF_AMPLIFIERS if jobs & {*AMPLIFIERS} else ())
