"""JSON Schemas of models, as both documents show them."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import AliasChoices, BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema
from pydantic_core import core_schema

Json = dict[str, Any]
REF = "#/components/schemas/"


class Untitled(GenerateJsonSchema):
    """Without a title for each field: it would only repeat the field's name."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        """Never."""
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> Json:
        """The schema of a model; other names that a field answers to are told in its description."""
        found = super().model_schema(schema)
        model: type[BaseModel] = schema["cls"]
        for field in model.model_fields.values():
            names = field.validation_alias.choices if isinstance(field.validation_alias, AliasChoices) else []
            if self.mode == "validation" and len(names) > 1 and names[0] in found["properties"]:
                also = ", ".join(f"`{name}`" for name in names[1:])
                found["properties"][names[0]]["description"] = f"Also accepted as {also}."
        return found


def schemas_of(
    models: Iterable[tuple[type[BaseModel], JsonSchemaMode]], generator: type[GenerateJsonSchema] = Untitled
) -> tuple[Mapping[Any, Json], dict[str, Json]]:
    """A reference for each (model, mode), and the schemas that go under `components/schemas`, sorted by name."""
    wanted = list(dict.fromkeys(models))
    references, found = models_json_schema(wanted, ref_template=REF + "{model}", schema_generator=generator)
    return references, dict(sorted(found.get("$defs", {}).items()))


def prose(documented: object) -> str:
    """A docstring as running text."""
    return " ".join((inspect.getdoc(documented) or "").split())


def references(value: object) -> Iterator[str]:
    """Every `$ref` in a document."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "$ref" and isinstance(item, str):
                yield item
            else:
                yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def resolve(document: Json, reference: str) -> Any:
    """What a `$ref` inside a document points to. Raises: KeyError if there is nothing."""
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part.replace("~1", "/").replace("~0", "~")]
    return found
