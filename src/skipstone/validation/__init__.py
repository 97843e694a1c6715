"""Configuration judged by a release's own code, out of its toolchain."""
