"""Rate laws: how the coefficient of a reaction follows from named parameters. One function a law.

A law gets `values`, one entry a parameter, and `constants`, one entry a fixed number. For a single reaction these
are arrays (lane,) and floats; for a group of reactions with the same law they are (reaction, lane) and
(reaction, 1). The formulas are the same.
"""

from collections.abc import Callable, Mapping
from typing import Any

from jaxrate.arrays import namespace
from jaxrate.constants import c, h
from jaxrate.expr import Expr
from jaxrate.network.line import WIDTHS, Real, cross_sections, partition, spontaneous, thermal_rates
from jaxrate.physics import thermal

Law = Callable[[Any, tuple, tuple], Real]


def product(form: Any, constants: tuple, values: tuple) -> Real:
    """A stated rate, or a coefficient times a partner density."""
    result = values[0]
    for value in values[1:]:
        result = result * value
    return result


def reverse(form: Any, constants: tuple, values: tuple) -> Real:
    r"""The upward direction of a collision: $R_{ul}\,\frac{Z_u}{Z_l}\,e^{-\Delta E/kT}$."""
    *down, temperature = values
    weight, energy = constants
    if form is not None:
        weight = partition(form[0], temperature) / partition(form[1], temperature)
    return thermal.detailed_balance_rate(product(form, (), tuple(down)), weight, 1.0, energy, temperature)


def spontaneous_emission(form: Any, constants: tuple, values: tuple) -> Real:
    """A21 of a line [s^-1]."""
    return spontaneous(form, constants, values)


def emission_elsewhere(form: Any, constants: tuple, values: tuple) -> Real:
    """A21 less what goes into the counted modes of cavities, which A includes [s^-1].

    A cavity that emits more than the stated A (Purcell's regime) leaves nothing for the other modes.
    """
    size = 3 + len(WIDTHS[form[0]])
    line, factor, cavities = values[:size], values[size], values[size + 1 :]
    measured = form[1] is not None and form[1].emission is None
    rate = spontaneous(form, constants, (*line[:2], factor, *(line[3:] if measured else ())))
    for i in range(0, len(cavities), 4):
        rate = rate - mode_spontaneous(form, constants, (*line, *cavities[i : i + 4]))
    return namespace(rate).maximum(rate, 0.0)


def stimulated(form: Any, constants: tuple, values: tuple) -> Real:
    r"""$W_{21} = \sigma_e(\nu)\,I/h\nu$."""
    return _driven(form, constants, values)[0]


def absorbed(form: Any, constants: tuple, values: tuple) -> Real:
    r"""$W_{12} = \sigma_a(\nu)\,I/h\nu$."""
    return _driven(form, constants, values)[1]


def _driven(form: Any, constants: tuple, values: tuple) -> tuple[Real, Real]:
    *line, intensity, frequency, fwhm = values
    flux = intensity / (h * frequency)
    emission, absorption = cross_sections(form, constants, tuple(line), frequency, fwhm)
    return emission * flux, absorption * flux


def thermally_stimulated(form: Any, constants: tuple, values: tuple) -> Real:
    r"""$W_{21} = d\,A\,\bar n(T)$ of diluted blackbody radiation."""
    *line, temperature, dilution = values
    return dilution * thermal_rates(form, constants, tuple(line), temperature)[0]


def thermally_absorbed(form: Any, constants: tuple, values: tuple) -> Real:
    r"""$W_{12} = d\,a\,\frac{g_u}{g_l}\,A\,\bar n(T)$."""
    *line, temperature, dilution = values
    return dilution * thermal_rates(form, constants, tuple(line), temperature)[1]


def mode_emission(form: Any, constants: tuple, values: tuple) -> Real:
    r"""$c\,\eta\,\sigma_e/n$ [m^3 s^-1]: stimulated emission per photon density of a cavity, at its frequency."""
    return _per_photon(form, constants, values)[0]


def mode_absorption(form: Any, constants: tuple, values: tuple) -> Real:
    r"""$c\,\eta\,\sigma_a/n$ [m^3 s^-1]."""
    return _per_photon(form, constants, values)[1]


def _per_photon(form: Any, constants: tuple, values: tuple) -> tuple[Real, Real]:
    *line, frequency, overlap = values
    emission, absorption = cross_sections(form, constants, tuple(line), frequency)
    speed = c * overlap / constants[1]
    return speed * emission, speed * absorption


def mode_spontaneous(form: Any, constants: tuple, values: tuple) -> Real:
    r"""The "+1": $M\,c\,\eta\,\sigma_e/(nV)$ [s^-1], as much into each mode as one photon stimulates."""
    *line, volume, num_modes = values
    return num_modes / volume * mode_emission(form, constants, tuple(line))


def stated_gain(form: Any, constants: tuple, values: tuple) -> Real:
    r"""$\eta\,\frac{c}{n_g}\,g$ [s^-1], of either sign: photons gained by a photon of a cavity."""
    gain, overlap = values
    return c / constants[0] * overlap * gain


def exchange(form: Any, constants: tuple, values: tuple) -> Real:
    r"""$R\,f_b/\sum_i f_i$ [s^-1]: to a level that atoms enter in."""
    rate, share, *every = values
    return rate * share / sum(every)


def photon_loss(form: Any, constants: tuple, values: tuple) -> Real:
    r"""$1/\tau_c$ [s^-1]."""
    return 1.0 / values[0]


def wall_photons(form: Any, constants: tuple, values: tuple) -> Real:
    r"""$M\,\bar n(\nu, T_w)/(\tau_c V)$ [m^-3 s^-1]: what thermal walls put into the modes."""
    lifetime, volume, num_modes, temperature, frequency = values
    return num_modes * thermal.planck_occupation(frequency, temperature) / (lifetime * volume)


class Parameters(Mapping[str, Any]):
    """Values of every parameter in a block of lanes.

    Args:
        order: Names in the order of `base`.
        base: The model's own values, shape (parameter,).
        varied: Those that differ from lane to lane, shape (*core, lane), and populations, where they are known.
        derived: Expressions and functions of others, evaluated when asked for.
        populations: Names of the populations.
    """

    def __init__(
        self,
        order: Mapping[str, int],
        base: Any,
        varied: Mapping[str, Any],
        derived: Mapping[str, Any],
        populations: frozenset[str] = frozenset(),
    ):
        self._order, self._base, self._varied, self._derived = order, base, dict(varied), derived
        self._populations = populations
        self._computed: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name in self._varied:
            return self._varied[name]
        if name in self._derived:
            if name not in self._computed:
                self._computed[name] = self._follow(self._derived[name])
            return self._computed[name]
        return self._base[self._order[name]]

    def _follow(self, rule: Any) -> Any:
        """Value of an expression, or of a function of (theta, populations)."""
        if isinstance(rule, Expr):
            return rule(self)
        return rule(self, {name: x for name, x in self._varied.items() if name in self._populations})

    def __contains__(self, name: object) -> bool:
        return name in self._order or name in self._derived or name in self._varied

    def __iter__(self) -> Any:
        return iter([*self._order, *self._derived])

    def __len__(self) -> int:
        return len(self._order) + len(self._derived)

    @property
    def base(self) -> Any:
        """Values of those that do not, and whatever a solver put behind them."""
        return self._base

    @property
    def varied(self) -> dict[str, Any]:
        """Those that differ from lane to lane."""
        return dict(self._varied)

    def exchange(self, values: Mapping[str, Any]) -> "Parameters":
        """The same with some values exchanged, or added, such as those of populations; expressions follow."""
        varied = {**self._varied, **values}
        return Parameters(self._order, self._base, varied, self._derived, self._populations)

    def stack(self, names: tuple[str, ...]) -> Any:
        """Values of several parameters, shape (len(names), lane), or (len(names), 1) where none varies.

        Fixed ones are gathered in one operation, so a program does not grow with their number.
        """
        import jax.numpy as jnp

        values = self._base[jnp.asarray([self._order.get(name, 0) for name in names])][:, None]
        special = {i: name for i, name in enumerate(names) if name in self._varied or name in self._derived}
        if not special:
            return values
        each = list(dict.fromkeys(special.values()))
        rows = jnp.stack(jnp.broadcast_arrays(*(jnp.atleast_1d(self[name]) for name in each)))
        values = jnp.broadcast_to(values, (len(names), rows.shape[1]))
        which = jnp.asarray([each.index(name) for name in special.values()])
        return values.at[jnp.asarray(list(special))].set(rows[which])
