"""What all tests share."""

from hypothesis import HealthCheck, settings

# A busy machine is no finding. The parent is hypothesis's own profile: in CI, the same examples each time.
settings.register_profile(
    "skipstone",
    parent=settings.default,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("skipstone")
