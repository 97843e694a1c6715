"""A real small OpenStack cloud on one machine; imported by the CLI and tests only."""
