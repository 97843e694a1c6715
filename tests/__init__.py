"""Tests; packages, so that one may import what another has, under one name for pytest and mypy."""
