"""What this cloud is, and every wire to it."""
