"""Reads the functions of a SAM template.

Parameters, Globals and the intrinsics that functions commonly use are resolved; what cannot be resolved is an error
with its line, never a guess. Source: AWS SAM specification, "AWS::Serverless::Function" and "Globals section".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.model.functions import FunctionConfiguration
from workbench.model.names import NAME_PATTERN, Account
from workbench.templates.document import Document, Located, load

FUNCTION = "AWS::Serverless::Function"
#: Roles are accepted unchecked; this is what a function without one gets.
ROLE = "arn:aws:iam::{account}:role/workbench"
#: Properties that Workbench acts on or only stores; others of a function are refused by name, so nothing is ignored.
_STORED: dict[str, Callable[[Any], dict[str, Any]]] = {
    "Tracing": lambda value: {"TracingConfig": {"Mode": value}},
    "LoggingConfig": lambda value: {"LoggingConfig": value},
}
_ACTED = {
    "CodeUri", "Handler", "Runtime", "MemorySize", "Timeout", "Environment", "FunctionName", "Description",
    "Architectures", "EphemeralStorage", "Role", "Tags", "PackageType",
}  # fmt: skip
#: Read by nobody here: they speak to IAM and the like, and a function runs the same without.
_NEUTRAL = {"Policies", "RolePath", "PermissionsBoundary", "AssumeRolePolicyDocument", "PropagateTags"}
_REFERENCE = re.compile(r"\$\{(!?)([^}]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredFunction:
    """A function as a template wants it; `folder` holds its code. `notes` say what of it is not acted on."""

    name: str
    logical_id: str
    configuration: FunctionConfiguration
    folder: Path
    tags: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_template(path: Path, parameters: Mapping[str, str], account: Account) -> list[DesiredFunction]:
    """The functions that a template describes.

    Raises:
        TemplateError: with the file and line of what is wrong.
    """
    document = load(path)
    return _Reader(document, parameters, account).functions()


class _Reader:
    def __init__(self, document: Document, parameters: Mapping[str, str], account: Account) -> None:
        self._document = document
        self._account = account
        root = document.mapping(document.root, "the template")
        self._globals = document.mapping(
            document.mapping(root.get("Globals", {}), "Globals").get("Function", {}), "Globals.Function"
        )
        self._resources = document.mapping(root.get("Resources", {}), "Resources")
        if not self._resources:
            raise document.error("the template has no Resources", document.root)
        self._parameters = self._read_parameters(document.mapping(root.get("Parameters", {}), "Parameters"), parameters)

    def _read_parameters(self, declared: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
        values = {}
        for name, entry in declared.items():
            entry = self._document.mapping(entry, f"Parameters.{name}")
            if name in given:
                values[name] = given[name]
            elif "Default" in entry:
                values[name] = str(entry["Default"])
            allowed = entry.get("AllowedValues")
            if name in values and allowed is not None and values[name] not in [str(value) for value in allowed]:
                raise self._document.error(
                    f"parameter {name} must be one of {list(allowed)}, not {values[name]}", entry
                )
        return values

    def functions(self) -> list[DesiredFunction]:
        found: list[DesiredFunction] = []
        for logical_id, resource in self._resources.items():
            resource = self._document.mapping(resource, f"Resources.{logical_id}")
            if resource.get("Type") == FUNCTION:
                function = self._function(logical_id, resource)
                if any(function.name == other.name for other in found):
                    raise self._document.error(f"two functions are named '{function.name}'", resource)
                found.append(function)
        if not found:
            raise self._document.error(f"the template has no {FUNCTION}", self._document.root)
        return found

    def _function(self, logical_id: str, resource: Mapping[str, Any]) -> DesiredFunction:
        document = self._document
        properties = document.mapping(resource.get("Properties", {}), f"{logical_id}.Properties")
        where = f"{logical_id}.Properties"
        merged = {
            name: self._resolve(value, f"{where}.{name}", properties)
            for name, value in _merge(self._globals, properties).items()
            if name in _ACTED or name in _STORED
        }
        notes = tuple(
            f"{logical_id}: {name} is not acted on"
            for name in _merge(self._globals, properties)
            if name not in _ACTED and name not in _STORED and name not in _NEUTRAL
        )
        if merged.get("PackageType", "Zip") != "Zip":
            raise document.error(f"{where}.PackageType: image functions are not supported yet", properties)
        for required in ("Handler", "Runtime", "CodeUri"):
            if required not in merged:
                raise document.error(f"{where} has no {required}, and Globals.Function has none", properties)
        name = self._typed(merged, "FunctionName", str, logical_id, where, properties)
        if not NAME_PATTERN.fullmatch(name):
            raise document.error(f"{where}.FunctionName: '{name}' is no function name", properties)
        variables = document.mapping(merged.get("Environment", {}), f"{where}.Environment").get("Variables")
        settings: dict[str, Any] = {}
        for stored, shape in _STORED.items():
            if stored in merged:
                settings.update(shape(merged[stored]))
        architectures = merged.get("Architectures", ["x86_64"])
        storage = document.mapping(merged.get("EphemeralStorage", {}), f"{where}.EphemeralStorage")
        return DesiredFunction(
            name=name,
            logical_id=logical_id,
            configuration=FunctionConfiguration(
                runtime=self._typed(merged, "Runtime", str, "", where, properties),
                handler=self._typed(merged, "Handler", str, "", where, properties),
                role=self._typed(merged, "Role", str, ROLE.format(account=self._account.id), where, properties),
                description=self._typed(merged, "Description", str, "", where, properties),
                timeout=self._whole(merged, "Timeout", 3, 1, 900, where, properties),
                memory_size=self._whole(merged, "MemorySize", 128, 128, 10240, where, properties),
                ephemeral_storage=self._whole(
                    storage, "Size", 512, 512, 10240, f"{where}.EphemeralStorage", properties
                ),
                architecture=str(architectures[0]) if isinstance(architectures, list) and architectures else "x86_64",
                environment=None if variables is None else self._variables(variables, where),
                settings=settings,
            ),
            folder=self._folder(merged["CodeUri"], where, properties),
            tags={**document.mapping(merged.get("Tags", {}), f"{where}.Tags"), "lambda:createdBy": "SAM"},
            notes=notes,
        )

    def _typed(self, values: Mapping[str, Any], key: str, kind: type, default: Any, where: str, near: object) -> Any:
        value = values.get(key, default)
        if not isinstance(value, kind):
            raise self._document.error(f"{where}.{key} must be a {kind.__name__}, not {value!r}", near)
        return value

    def _whole(
        self, values: Mapping[str, Any], key: str, default: int, low: int, high: int, where: str, near: object
    ) -> int:
        value = values.get(key, default)
        if isinstance(value, str) and value.isdigit():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self._document.error(
                f"{where}.{key} must be a whole number from {low} to {high}, not {value!r}", near
            )
        return value

    def _variables(self, variables: Any, where: str) -> dict[str, str]:
        found = {}
        for name, value in self._document.mapping(variables, f"{where}.Environment.Variables").items():
            if isinstance(value, bool):
                value = str(value).lower()
            if isinstance(value, (dict, list)) or value is None:
                raise self._document.error(f"{where}.Environment.Variables.{name} must be text", variables)
            found[str(name)] = str(value)
        return found

    def _folder(self, uri: Any, where: str, near: object) -> Path:
        if not isinstance(uri, str) or uri.startswith("s3://"):
            raise self._document.error(
                f"{where}.CodeUri: code comes from a folder beside the template, not {uri!r}", near
            )
        root = self._document.path.parent.resolve()
        folder = (root / uri).resolve()
        if not folder.is_relative_to(root):
            raise self._document.error(f"{where}.CodeUri: {uri} is outside the template's folder", near)
        if not folder.is_dir():
            raise self._document.error(f"{where}.CodeUri: there is no folder {uri}", near)
        return folder

    # -- intrinsics
    def _resolve(self, value: Any, where: str, near: object) -> Any:
        if isinstance(value, list):
            return [self._resolve(item, where, value) for item in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name == "Ref":
                return self._reference(argument, where, value)
            if name == "Fn::Sub":
                return self._substitute(argument, where, value)
            if name == "Fn::GetAtt":
                return self._attribute(argument, where, value)
            if name == "Fn::Join" and isinstance(argument, list) and len(argument) == 2:
                parts = self._resolve(argument[1], where, value)
                return str(argument[0]).join(str(part) for part in parts)
            if isinstance(name, str) and name.startswith("Fn::"):
                raise self._document.error(f"{where}: {name} is not supported yet", value)
        return {key: self._resolve(item, f"{where}.{key}", value) for key, item in value.items()}

    def _reference(self, name: Any, where: str, near: object) -> str:
        pseudo = {
            "AWS::Region": self._account.region,
            "AWS::AccountId": self._account.id,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": self._document.path.parent.resolve().name,
        }
        if name in self._parameters:
            return self._parameters[name]
        if name in pseudo:
            return pseudo[name]
        if name in self._resources:
            return self._function_name(name, where, near)
        raise self._document.error(
            f"{where}: nothing is called '{name}'; a parameter without a default needs a value", near
        )

    def _attribute(self, argument: Any, where: str, near: object) -> str:
        parts = argument.split(".", 1) if isinstance(argument, str) else argument
        if isinstance(parts, list) and len(parts) == 2 and parts[1] == "Arn" and parts[0] in self._resources:
            return self._account.function_arn(self._function_name(parts[0], where, near))
        raise self._document.error(f"{where}: !GetAtt {argument} cannot be resolved yet", near)

    def _function_name(self, logical_id: str, where: str, near: object) -> str:
        resource = self._resources[logical_id]
        if not isinstance(resource, dict) or resource.get("Type") != FUNCTION:
            kind = resource.get("Type") if isinstance(resource, dict) else "resource"
            raise self._document.error(f"{where}: {logical_id} is a {kind}, which cannot be referred to yet", near)
        name = self._document.mapping(resource.get("Properties", {}), logical_id).get("FunctionName", logical_id)
        return str(self._resolve(name, where, near))

    def _substitute(self, argument: Any, where: str, near: object) -> str:
        text, own = argument, {}
        if isinstance(argument, list) and len(argument) == 2 and isinstance(argument[1], dict):
            text, own = argument[0], {key: self._resolve(value, where, near) for key, value in argument[1].items()}
        if not isinstance(text, str):
            raise self._document.error(f"{where}: !Sub needs text", near)

        def fill(match: re.Match[str]) -> str:
            literal, name = match.groups()
            if literal:
                return f"${{{name}}}"
            if name in own:
                return str(own[name])
            return self._attribute(name, where, near) if "." in name else self._reference(name, where, near)

        return _REFERENCE.sub(fill, text)


def _merge(below: Any, above: Any) -> Any:
    """Globals and a function: maps are merged with the function winning, lists joined, the rest replaced."""
    if isinstance(below, dict) and isinstance(above, dict):
        merged = {**below, **above}
        merged.update({key: _merge(below[key], above[key]) for key in below.keys() & above.keys()})
        return Located(merged, getattr(above, "line", 0) or getattr(below, "line", 0))
    if isinstance(below, list) and isinstance(above, list):
        return [*below, *above]
    return above
