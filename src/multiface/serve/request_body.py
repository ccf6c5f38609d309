"""What every JSON body of a request is read with: unknown fields are refused, and no value is taken for another."""

from pydantic import BaseModel, ConfigDict


class RequestBody(BaseModel):
    """A JSON object; `true` is no number, and "3" neither."""

    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True)
