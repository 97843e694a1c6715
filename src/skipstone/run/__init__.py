"""Doing a plan, durably: journal, jobs, engine."""
