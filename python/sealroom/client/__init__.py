"""Client of a Bridge: `Connection` and `StreamApi`."""
