"""The parts of `csploop.lowlevel`, one concept each."""
