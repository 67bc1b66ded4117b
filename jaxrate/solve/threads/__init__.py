"""Kernels of an accelerator: the program of one lane, translated into the code of one thread.

A block kernel traced for a single lane is a scalar program: every small array is so many numbers, which stay in the
registers of the thread, and a loop ends when that lane is done. Whatever cannot be translated is left to XLA.
"""

# They enter their rules as they are imported.
from jaxrate.solve.threads import indexing as indexing
from jaxrate.solve.threads import shapes as shapes
from jaxrate.solve.threads import sums as sums
