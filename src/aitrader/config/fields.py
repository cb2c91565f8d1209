"""What a setting may be: the strict section, shares, tickers, names, and a plug-in's own mapping.

Shares are fractions: written ``10%`` or ``0.10``; a bare number above 1 is an error. A mapping typed ``Opaque`` belongs
to a plug-in, which parses it with a model of its own.
"""

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Final, Literal, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo

from aitrader.config.section import Located
from aitrader.domain.symbols import Symbol, parse_symbol
from aitrader.errors import InvalidSymbolError

_ISO_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


class Section(BaseModel):
    """A group of settings: frozen, unknown keys are errors, NaN and infinities are errors.

    Text becomes what the field says. Of booleans only true, false, yes and no (so that a ticker ON is never one),
    of dates only YYYY-MM-DD (so that 2013 is not a second of 1970). A sub-section left empty is its default.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _drop_empty_groups(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        groups = {name for name, field in cls.model_fields.items() if _is_group(field.annotation)}
        return {key: value for key, value in values.items() if value is not None or key not in groups}

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_loose_text(cls, value: Any, info: ValidationInfo) -> Any:
        annotation = cls.model_fields[str(info.field_name)].annotation
        kinds = {annotation, *get_args(annotation)}
        if not isinstance(value, str) or str in kinds:
            return value
        if bool in kinds and value.strip().lower() not in {"true", "false", "yes", "no"}:
            raise ValueError("should be true, false, yes or no")
        if date in kinds and not _ISO_DATE.fullmatch(value.strip()):
            raise ValueError("should be a date written YYYY-MM-DD")
        return value


def _is_group(annotation: Any) -> bool:
    return get_origin(annotation) is dict or (isinstance(annotation, type) and issubclass(annotation, BaseModel))


def _opaque(value: Any) -> Located:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ValueError("should be a mapping of settings")
    return value if isinstance(value, Located) else Located(value)


def share(value: object) -> object:
    """Return a percentage as the fraction that it is; anything else as it came, for the field's own type to judge."""
    if isinstance(value, str) and value.strip().endswith("%"):
        return float(value.strip()[:-1]) / 100
    return value


def _symbol(value: str) -> Symbol:
    try:
        return parse_symbol(value)
    except InvalidSymbolError as error:
        raise ValueError(str(error)) from error


def _name(value: str) -> str:
    if not value.replace("_", "").isalnum() or not value.isascii() or len(value) > 12:
        raise ValueError("a name has at most 12 letters, digits and underscores")
    return value


def is_share(field: FieldInfo) -> bool:
    """Say whether a field is written as a share, ``10%`` or ``0.10``."""
    return any(isinstance(item, BeforeValidator) and item.func is share for item in field.metadata)


Share = Annotated[FiniteFloat, Field(ge=0, le=1), BeforeValidator(share)]
"""A fraction from 0 to 1, written ``10%`` or ``0.10``."""

Ticker = Annotated[str, AfterValidator(_symbol)]
Name = Annotated[str, AfterValidator(_name)]
Opaque = Annotated[dict[str, Any], PlainValidator(_opaque), WithJsonSchema({"type": "object"})]
"""A plug-in's own settings: text as written, each with its origin (``config.section.Located``). The plug-in parses it
with ``config.section.parse_section``."""

FeatureItem = str | dict[str, Opaque]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday"]
