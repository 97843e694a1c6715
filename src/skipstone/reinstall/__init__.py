"""A compute host that is installed anew: what makes it itself is kept here, and brought back to it."""
