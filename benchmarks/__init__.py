"""How long the jobs of jaxrate take, and how far they are from exact: `python -m benchmarks`."""
