"""How fast we are, beside peers: `python -m benchmarks.speed`."""
