"""What the sections of a configuration share: strict pydantic models whose fields are named as PaddleOCR's YAML keys.

The rules for all of them: unknown keys are errors, a section that is empty (`lr:` and nothing below) has its defaults,
and a setting without meaning here (see `kinds.UNREAD`) is left out of what is written unless it was given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, model_serializer, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from scenetext.config.kinds import Kind, Unread
from scenetext.config.yaml_text import shown
from scenetext.errors import nearest_hint

WRONG = "wrong"  # pydantic's type of the errors whose message is our own half sentence

Path = tuple[Any, ...]


def dotted(path: Path) -> str:
    """`("Train", "dataset", "transforms", 1)` as `Train.dataset.transforms.1`."""
    return ".".join(str(key) for key in path)


def wrong(message: str) -> PydanticCustomError:
    """What a validator raises about the value that it checks; `message` goes on after the setting's dotted name."""
    return PydanticCustomError(WRONG, message)  # without a context, so that braces in the message stay as they are


def wrong_below(message: str, *below: Any) -> ValidationError:
    """What a validator raises about the value at the keys `below` its own one."""
    details = InitErrorDetails(type=wrong(message), loc=below, input=None)
    return ValidationError.from_exception_data("Section", [details])


def missing_below(key: str) -> ValidationError:
    """What a validator raises about a setting that is missing though its field may be empty."""
    return ValidationError.from_exception_data("Section", [InitErrorDetails(type="missing", loc=(key,), input=None)])


class Section(BaseModel):
    """A section of a configuration. It cannot be changed: `load_config(config, overrides)` makes another one."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    UNREAD: ClassVar[bool] = False  # whether the whole section has no meaning here

    @model_validator(mode="before")
    @classmethod
    def _drop_empty_sections(cls, value: Any) -> Any:
        if isinstance(value, cls):
            return value
        if not isinstance(value, Mapping):
            raise wrong(f"must be a mapping of keys to values, not {shown(value)}.")
        for key in value:
            if not isinstance(key, str):
                raise wrong(f"has the key {key!r}, which is no text: write it as {str(key)!r}.")
        return {
            key: item
            for key, item in value.items()
            if item is not None or key not in cls.model_fields or shape_of(cls.model_fields[key]) is None
        }

    @model_serializer(mode="wrap")
    def _without_unread(self, handler: Any) -> dict[str, Any]:
        fields = type(self).model_fields
        return {key: value for key, value in handler(self).items() if value is not None or not is_unread(fields[key])}


class Named(Section):
    """A section whose `name` says which class it is."""

    name: str


def name_of(cls: type[Section]) -> str | None:
    """The `name` that chooses a class of sections, None for a class that is chosen by the absence of one."""
    field = cls.model_fields.get("name")
    return get_args(field.annotation)[0] if issubclass(cls, Named) and field is not None else None


class ByName:
    """Annotates a section whose class is chosen by its `name`.

    Args:
        classes: the classes; each one's field `name` is a Literal, but for one that may have none.
        default: the name that counts where the section has none.
    """

    def __init__(self, *classes: type[Section], default: str | None = None) -> None:
        self.classes = {name_of(cls): cls for cls in classes}
        self.default = default

    def class_of(self, value: Any) -> type[Section] | None:
        """The class of a raw section; None where its name is unknown."""
        name = value.get("name") if isinstance(value, Mapping) else None
        return self.classes.get(self.default if name is None else name) if _is_text(name) else None

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._check)

    def _check(self, value: Any) -> Section:
        if isinstance(value, tuple(self.classes.values())):
            return value
        if not isinstance(value, Mapping):
            raise wrong(f"must be a mapping of keys to values, not {shown(value)}.")
        cls, name = self.class_of(value), value.get("name")
        if cls is None:
            names = [known for known in self.classes if known is not None]
            if name is None:
                raise wrong(f"needs a `name`, one of {', '.join(names)}.")
            raise wrong_below(f"is {shown(name)}, which is unknown: {nearest_hint(name, names)}.", "name")
        return cls.model_validate({key: item for key, item in value.items() if key != "name" or item is not None})


def _is_text(name: Any) -> bool:
    return name is None or isinstance(name, str)


class Operations:
    """Annotates a list whose items are mappings of one operation's name to its options, or the bare name.

    The items are kept as sections, whose classes are called as the operations.
    """

    def __init__(self, *classes: type[Section]) -> None:
        self.classes = {cls.__name__: cls for cls in classes}

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        fields = {
            name: core_schema.typed_dict_field(handler.generate_schema(cls), required=False)
            for name, cls in self.classes.items()
        }
        one = core_schema.no_info_before_validator_function(self._single, core_schema.typed_dict_schema(fields))
        one = core_schema.no_info_after_validator_function(lambda single: next(iter(single.values())), one)
        return core_schema.no_info_before_validator_function(
            self._list,
            core_schema.list_schema(one),
            serialization=core_schema.plain_serializer_function_ser_schema(_dump_operations, info_arg=True),
        )

    def _list(self, value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise wrong(f"must be a list of operations, not {shown(value)}.")
        return value

    def _single(self, value: Any) -> dict[str, Any]:
        if isinstance(value, tuple(self.classes.values())):
            return {type(value).__name__: value}
        if isinstance(value, str):
            value = {value: None}
        if not isinstance(value, Mapping) or len(value) != 1:
            raise wrong(f"must be one operation, `- NAME: {{key: value}}`, not {shown(value)}.")
        ((name, options),) = value.items()
        if name not in self.classes:
            raise wrong_below(f"is no known operation: {nearest_hint(name, self.classes)}.", name)
        return {name: {} if options is None else options}


def _dump_operations(operations: list[Section], info: Any) -> list[dict[str, Any]]:
    return [{type(one).__name__: one.model_dump(exclude_unset=info.exclude_unset)} for one in operations]


class Part:
    """Annotates a part of a network: a mapping with a `name`, checked by the class of that name when it is built."""

    def __init__(self, meaning: str) -> None:
        self.meaning = meaning

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._check)

    def _check(self, value: Any) -> dict[str, Any] | None:
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise wrong(f"must be a mapping of keys to values, not {shown(value)}.")
        if not isinstance(value.get("name"), str):
            raise wrong(f"({self.meaning}) needs a `name`.")
        return dict(value)


Shape = type[Section] | ByName | Operations | dict[str, type[Section]] | None


def shape_of(field: FieldInfo) -> Shape:
    """The kind of section that a field holds: one class, a choice by name, operations, `{"*": class}`, or None."""
    for mark in field.metadata:
        if isinstance(mark, (ByName, Operations)):
            return mark
    if any(isinstance(mark, (Kind, Part)) for mark in field.metadata):
        return None
    parts = (field.annotation, *get_args(field.annotation))
    section = next((part for part in parts if isinstance(part, type) and issubclass(part, Section)), None)
    if section is None:
        return None
    return {"*": section} if dict in (field.annotation, getattr(field.annotation, "__origin__", None)) else section


def is_unread(field: FieldInfo) -> bool:
    """Whether a field is a setting, or a section, of PaddleOCR's that has no meaning here."""
    shape = shape_of(field)
    return any(isinstance(mark, Unread) for mark in field.metadata) or getattr(shape, "UNREAD", False)
