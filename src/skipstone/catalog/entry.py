"""What every entry of the catalog has in common."""

from pydantic import BaseModel, ConfigDict


class Entry(BaseModel):
    """Base of everything in the catalog: frozen, and unknown fields are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")
