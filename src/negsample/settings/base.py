"""What all settings have in common: their rules, their one text, and how a mistake in them is said."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from negsample.errors import InputError

M = TypeVar("M", bound=BaseModel)
_LARGEST = 2**31 - 1  # of a whole number
_LEAST, _MOST = 1.5e-45, 1e38  # of any other


class Settings(BaseModel):
    """Frozen, all keys known, and numbers that are numbers: finite, of 32 bits, never true or false."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _is_number(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, bool) and cls.model_fields[str(info.field_name)].annotation is not bool:
            raise ValueError("input should not be true or false")
        if isinstance(value, int) and abs(value) > _LARGEST:
            raise ValueError(f"input should be at most {_LARGEST}")
        return value

    @field_validator("*", mode="after")
    @classmethod
    def _is_of_32_bits(cls, value: Any) -> Any:
        """What is computed with them is float32, where a larger number is infinite and a smaller one is 0."""
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, float) and each and not _LEAST <= abs(each) <= _MOST:
                raise ValueError(f"input should be 0 or of a size from {_LEAST} to {_MOST}")
        return value


def canonical_json(value: Any) -> str:
    """One text for equal settings: sorted keys, no spaces, pydantic models as dicts."""

    def plain(other: Any) -> Any:
        if isinstance(other, BaseModel):
            return other.model_dump(mode="json")
        raise TypeError(f"not a setting: {other!r}")

    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=plain, allow_nan=False)


def fingerprint(value: Any) -> str:
    """The first 12 hex digits of the SHA-256 of the canonical JSON of ``value``."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:12]


def checked(model: type[M], values: Mapping[str, Any]) -> M:
    """``model(**values)``, with pydantic's complaint turned into one line for a person.

    Raises:
        InputError: a key is unknown or a value breaks its rule.
    """
    try:
        return model(**values)
    except ValidationError as error:
        first, *more = error.errors()
        key = str(first["loc"][0]) if first["loc"] else ""
        if first["type"] == "extra_forbidden":
            raise InputError(f"unknown setting '{key}'; the settings are: {', '.join(model.model_fields)}") from None
        of_key = [
            first,
            *(each for each in more if each["loc"][:1] == first["loc"][:1]),
        ]  # two for a field of two types
        rules = [each["msg"].removeprefix("Value error, ") for each in of_key]
        rule = ", or ".join(dict.fromkeys(f"{each[:1].lower()}{each[1:]}" for each in rules))
        raise InputError(f"setting {key}={first['input']!r}: {rule}" if key else rule) from None
