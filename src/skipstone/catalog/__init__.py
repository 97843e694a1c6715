"""What OpenStack is, as data: releases, services, routes; no input or output beyond YAML."""
