"""Drain: empty a compute host by live migration, and believe only what libvirt says of it."""
