"""The rules for keys, the same in all three files, on top of pydantic models.

Other case is accepted, comments are passed over, a near miss of a known key is an error, and so is in a task file a
word of other schedulers (`refused_keys`); any other unknown key is ignored with a warning, `null` is as good as
absent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ConfigDict

from mflow.files.comments import is_comment
from mflow.files.report import Report, below


class Keys(BaseModel):
    """Base of all models of objects in the files. A model's fields are the keys that the object may have."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=False, hide_input_in_errors=True)


class KeyTable:
    """The keys that one model knows, by every spelling that is accepted."""

    def __init__(self, model: type[BaseModel]) -> None:
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        self.known = tuple(fields)
        self.inner = {key: inner for key, field in fields.items() if (inner := _model_in(field.annotation))}
        self.plain = frozenset(fields) - frozenset(self.inner)
        self._spelling = {key.casefold(): key for key in fields}

    def is_plain(self, raw: Mapping[str, Any]) -> bool:
        """Whether there is nothing to do for an object: every key as it must be, with no object inside."""
        return raw.keys() <= self.plain and None not in raw.values()

    def normalised(self, raw: Mapping[str, Any], place: str, report: Report) -> dict[str, Any]:
        """The object with its keys spelled as the model does, and without what is to be ignored."""
        clean: dict[str, Any] = {}
        for key, value in raw.items():
            spelling = self._spelling.get(key.casefold())
            if spelling is None:
                if not is_comment(key):
                    report.unknown_key(place, key, self.known)
            elif spelling in clean:
                report.error(
                    below(place, key),
                    f'the same key twice in one object (as "{spelling}", in other case)',
                    of_key=True,
                )
            elif value is not None:
                clean[spelling] = self._inside(spelling, value, below(place, spelling), report)
        return clean

    def _inside(self, key: str, value: Any, place: str, report: Report) -> Any:
        inner = self.inner.get(key)
        if inner is None:
            return value
        table, listed = key_table(inner.model), inner.listed
        if listed and isinstance(value, list):
            return [
                table.normalised(one, below(place, index), report) if isinstance(one, dict) else one
                for index, one in enumerate(value)
            ]
        if not listed and isinstance(value, dict):
            return table.normalised(value, place, report)
        return value


@cache
def key_table(model: type[BaseModel]) -> KeyTable:
    """The table of a model, made once."""
    return KeyTable(model)


@dataclass(frozen=True, slots=True)
class _Inner:
    """An object inside of an object, or (`listed`) a list of such."""

    model: type[BaseModel]
    listed: bool


def _model_in(annotation: Any, listed: bool = False) -> _Inner | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _Inner(annotation, listed)
    listed = listed or get_origin(annotation) in {list, tuple}
    found = (_model_in(argument, listed) for argument in get_args(annotation))
    return next((inner for inner in found if inner), None)
