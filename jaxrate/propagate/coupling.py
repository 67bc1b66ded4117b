r"""What a medium is to light along it: arrays of gain, noise, loss and drive, from named parameters.

$g_k = \Gamma_k\sum_l N_l(\sigma_{e,kl}\,n_u - \sigma_{a,kl}\,n_l)$, noise $m_k h\nu_k\Delta\nu_k\Gamma_k\sum_l N_l
\sigma_{e,kl}\,n_u$, and the rates that it drives: $W_l = \sum_k \Gamma_k\sigma_{kl}P_k/(h\nu_k A)$.
"""

from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxrate.constants import h
from jaxrate.model.channels import ASE, Channels, Group, Path, absorbed, emitted
from jaxrate.model.fibre import Fibre
from jaxrate.model.fields import driven_lines
from jaxrate.network.coefficients import Parameters
from jaxrate.network.line import Line, cross_sections
from jaxrate.network.network import Network
from jaxrate.physics import gaps
from jaxrate.solve.light import Rays, rays_of


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Coupling:
    """Arrays of a medium in a block of lanes.

    Attributes:
        gain: (channel, level, lane) [m^-1], so that g = gain @ n - loss.
        noise: (channel, level, lane) [W/m], so that the spontaneous power per length is noise @ n.
        loss: (channel, lane) [m^-1].
        drive: (drive, channel, lane) [1/(s W)]: of each line the rate of stimulated emission, then of absorption.
        launched: (channel, lane) [W].
        length: (lane,) [m].
        reflection: (2, lane), at z = 0 and z = L.
    """

    gain: Array
    noise: Array
    loss: Array
    drive: Array
    launched: Array
    length: Array
    reflection: Array


@dataclass(frozen=True)
class Guided:
    """A network with light along it.

    Args:
        network: The model, with what its amplifier added, as reactions.
    """

    network: Network

    @cached_property
    def rays(self) -> Rays:
        """Every channel in the directions it runs in."""
        return rays_of(self.network.model)

    @cached_property
    def path(self) -> Path:
        """What all channels share."""
        return next(p for p in self.network.model.processes if isinstance(p, Path))

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """Lines that any channel drives."""
        return tuple(self.network.line(label) for label in self.path.drives)

    @cached_property
    def driven(self) -> np.ndarray:
        """Which channel drives which line, shape (channel, line)."""
        labels = [line.label for line in self.lines]
        return np.array([[label in driven_lines(self._group(ray.group)) for label in labels] for ray in self.rays.each])

    def _group(self, label: str) -> Group:
        return next(p for p in self.network.model.processes if isinstance(p, Channels | ASE) and p.label == label)

    def with_rates(self, parameters: Parameters, rates: Array) -> Parameters:
        """Parameters of the medium under rates of stimulated emission and absorption, shape (drive, lane)."""
        names = [name(line.label) for line in self.lines for name in (emitted, absorbed)]
        return parameters.exchange(dict(zip(names, rates, strict=True)))

    def coupling(self, parameters: Parameters, lanes: int) -> Coupling:
        """Arrays of the medium, from the parameters of a block of lanes."""
        emission, absorption = self.sections(parameters, lanes)
        up, down = (np.eye(len(self.network.populations))[list(at)] for at in self.ends)
        rays, seen, photons = self.rays, self.seen(parameters, lanes), self.photons(parameters, lanes)
        gain = jnp.einsum("kle,lp->kpe", seen * emission, up) - jnp.einsum("kle,lp->kpe", seen * absorption, down)
        quantum = h * rays.frequencies * np.array([ray.modes * ray.width for ray in rays.each])
        noise = jnp.asarray(quantum)[:, None, None] * jnp.einsum("kle,lp->kpe", seen * emission, up)
        rates = jnp.stack([photons[:, None] * emission, photons[:, None] * absorption], axis=2)
        drive = jnp.moveaxis(rates.reshape(len(rays.each), -1, lanes), 0, 1)
        ends = [parameters["input.reflection"], parameters["output.reflection"]]
        return Coupling(
            gain,
            noise,
            self._of_groups("loss", parameters, lanes),
            drive,
            jnp.stack([jnp.broadcast_to(parameters[r.power] if r.power else 0.0, (lanes,)) for r in rays.each]),
            jnp.broadcast_to(parameters["length"], (lanes,)),
            jnp.stack([jnp.broadcast_to(end, (lanes,)) for end in ends]),
        )

    def photons(self, parameters: Parameters, lanes: int) -> Array:
        """Photons that pass an area of the medium per power [1/(J m^2)], shape (channel, lane)."""
        overlap = self._of_groups("overlap", parameters, lanes)
        return overlap / (h * self.rays.frequencies[:, None] * parameters["area"])

    def seen(self, parameters: Parameters, lanes: int) -> Array:
        """Density of the atoms of each line times the overlap [m^-3], shape (channel, line, lane)."""
        density = jnp.stack([jnp.broadcast_to(parameters[line.density], (lanes,)) for line in self.lines])
        return self._of_groups("overlap", parameters, lanes)[:, None] * density

    @property
    def ends(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Upper and lower population of each line."""
        return tuple(line.upper for line in self.lines), tuple(line.lower for line in self.lines)

    def sections(self, parameters: Parameters, lanes: int) -> tuple[Array, Array]:
        """sigma_e and sigma_a of each channel on each line [m^2], shape (channel, line, lane)."""
        found = []
        for i, line in enumerate(self.lines):
            values = tuple(parameters[name] for name in line.names)
            pair = cross_sections(line.form, line.constants, values, self._seen(line)[:, None])
            on = self.driven[:, i, None]
            found.append([jnp.broadcast_to(jnp.where(on, sigma, 0.0), (len(on), lanes)) for sigma in pair])
        emission, absorption = zip(*found, strict=True)
        return jnp.stack(emission, axis=1), jnp.stack(absorption, axis=1)

    def _seen(self, line: Line) -> np.ndarray:
        """Frequencies of the channels; one that lies at the end of a spectrum but for rounding is put there."""
        nu, spectra = self.rays.frequencies, line.spectra
        for table in () if spectra is None else (spectra.emission, spectra.absorption):
            nu = nu if table is None else np.where(gaps.measured(table, nu), gaps.within(table, nu), nu)
        return nu

    def _of_groups(self, what: str, parameters: Parameters, lanes: int) -> Array:
        """Overlap or loss of every channel, shape (channel, lane): that of its group, or of the waveguide."""
        rows = []
        for label in self.rays.groups:
            group = self._group(label)
            members = [i for i, ray in enumerate(self.rays.each) if ray.group == label]
            if what == "overlap" and group.overlap is None:
                value = self._guide.overlap(parameters, self.rays.frequencies[members][:, None])
            else:
                value = parameters[f"{label}.{what}"]
            rows.append(jnp.broadcast_to(value, (len(members), lanes)))
        return jnp.concatenate(rows)

    @property
    def _guide(self) -> Fibre:
        return next(p for p in self.network.model.processes if isinstance(p, Fibre))
