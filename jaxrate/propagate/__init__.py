"""Light along a medium: amplifiers, superluminescent sources, pulses."""
