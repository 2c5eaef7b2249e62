"""Reads the functions of a SAM template.

Parameters, Globals and the intrinsics that functions commonly use are resolved; what cannot be resolved is an error
with its line, never a guess. Source: AWS SAM specification, "AWS::Serverless::Function" and "Globals section".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.model.file_systems import access_point_arn, access_point_id, complaint
from workbench.model.functions import FunctionConfiguration
from workbench.model.names import ALIAS_PATTERN, NAME_PATTERN, Account
from workbench.model.routes import Route
from workbench.templates.beside import beside
from workbench.templates.document import MAX_EXPANDED, Document, Located, load
from workbench.templates.layers import KINDS, DesiredLayer, LayerReader, reference, referred
from workbench.templates.routes import ROUTED, RouteReader

FUNCTION = "AWS::Serverless::Function"
ACCESS_POINT = "AWS::EFS::AccessPoint"
#: Roles are accepted unchecked; this is what a function without one gets.
ROLE = "arn:aws:iam::{account}:role/workbench"
#: Properties that Workbench acts on or only stores; others of a function are refused by name, so nothing is ignored.
_STORED: dict[str, Callable[[Any], dict[str, Any]]] = {
    "Tracing": lambda value: {"TracingConfig": {"Mode": value}},
    "LoggingConfig": lambda value: {"LoggingConfig": value},
    "FileSystemConfigs": lambda value: {} if value == [] else {"FileSystemConfigs": value},
}
_ACTED = {
    "CodeUri", "Handler", "Runtime", "MemorySize", "Timeout", "Environment", "FunctionName", "Description",
    "Architectures", "AutoPublishAlias", "EphemeralStorage", "Role", "Tags", "PackageType", "Layers", "ImageUri",
    "ImageConfig",
}  # fmt: skip
#: Read by nobody here: they speak to IAM and the like, and a function runs the same without.
_NEUTRAL = {"Policies", "RolePath", "PermissionsBoundary", "AssumeRolePolicyDocument", "PropagateTags"}
_REFERENCE = re.compile(r"\$\{(!?)([^}]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredFunction:
    """A function as a template wants it; `folder` holds its code, or `image` names the container image that it is.

    `notes` say what of it is not acted on.

    `layers` are those of the template that it refers to.
    """

    name: str
    logical_id: str
    configuration: FunctionConfiguration
    folder: Path | None = None
    image: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()
    layers: tuple[DesiredLayer, ...] = ()
    auto_publish_alias: str | None = None


def read_template(
    path: Path, parameters: Mapping[str, str], account: Account, *, only: str | None = None
) -> list[DesiredFunction]:
    """The functions that a template describes, or only the one of this name, whatever is wrong with others.

    Raises:
        TemplateError: with the file and line of what is wrong.
    """
    return _Reader(load(path), parameters, account).functions(only)


def function_names(path: Path, parameters: Mapping[str, str], account: Account) -> list[str]:
    """The names of the functions that a template describes, whatever else is wrong with them.

    Raises:
        TemplateError: with the file and line of what is wrong.
    """
    return _Reader(load(path), parameters, account).names()


def read_layers(path: Path, parameters: Mapping[str, str], account: Account) -> list[DesiredLayer]:
    """The layers that a template describes.

    Raises:
        TemplateError: with the file and line of what is wrong.
    """
    return _Reader(load(path), parameters, account).layers()


class _Reader:
    def __init__(self, document: Document, parameters: Mapping[str, str], account: Account) -> None:
        self._document = document
        self._account = account
        self._names: dict[str, str] = {}
        self._naming: set[str] = set()
        self._produced = 0
        root = document.mapping(document.root, "the template")
        globals_ = document.mapping(root.get("Globals", {}), "Globals", root)
        self._globals = document.mapping(globals_.get("Function", {}), "Globals.Function", globals_)
        self._resources = document.mapping(root.get("Resources", {}), "Resources", root)
        if not self._resources:
            raise document.error("the template has no Resources", document.root)
        declared = document.mapping(root.get("Parameters", {}), "Parameters", root)
        self._parameters = self._read_parameters(declared, parameters)
        self._routes = RouteReader(document, self._resources, self._resolve)
        self._layers = LayerReader(document, self._resources, self._resolve, account)

    def _read_parameters(self, declared: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
        values = {}
        for name, entry in declared.items():
            entry = self._document.mapping(entry, f"Parameters.{name}", declared)
            if name in given:
                values[name] = given[name]
            elif "Default" in entry:
                values[name] = self._text(entry["Default"], f"Parameters.{name}.Default", entry)
            allowed = entry.get("AllowedValues")
            if allowed is None:
                continue
            if not isinstance(allowed, list):
                raise self._document.error(f"Parameters.{name}.AllowedValues must be a list", entry)
            texts = [self._text(value, f"Parameters.{name}.AllowedValues", entry) for value in allowed]
            if name in values and values[name] not in texts:
                raise self._document.error(f"parameter {name} must be one of {texts}, not {values[name]}", entry)
        return values

    def layers(self) -> list[DesiredLayer]:
        return self._layers.read()

    def names(self) -> list[str]:
        return [self._function_name(logical_id, logical_id, resource) for logical_id, resource in self._declared()]

    def functions(self, only: str | None) -> list[DesiredFunction]:
        found: list[DesiredFunction] = []
        for logical_id, resource in self._declared():
            if only is not None and self._function_name(logical_id, logical_id, resource) != only:
                continue
            function = self._function(logical_id, resource)
            if any(function.name == other.name for other in found):
                raise self._document.error(f"two functions are named '{function.name}'", resource)
            found.append(function)
        return found

    def _declared(self) -> list[tuple[str, dict[Any, Any]]]:
        """The functions by logical id, as they stand in the template."""
        found = []
        for logical_id, entry in self._resources.items():
            resource = self._document.mapping(entry, f"Resources.{logical_id}", self._resources)
            if resource.get("Type") == FUNCTION:
                found.append((logical_id, resource))
        if not found:
            raise self._document.error(f"the template has no {FUNCTION}", self._document.root)
        return found

    def _function(self, logical_id: str, resource: Mapping[str, Any]) -> DesiredFunction:
        document = self._document
        properties = document.mapping(resource.get("Properties", {}), f"{logical_id}.Properties", resource)
        where = f"{logical_id}.Properties"
        merged = {
            name: self._resolve(value, f"{where}.{name}", properties)
            for name, value in _merge(self._globals, properties).items()
            if name in _ACTED or name in _STORED
        }
        notes = tuple(
            f"{logical_id}: {name} is not acted on"
            for name in _merge(self._globals, properties)
            if name not in _ACTED and name not in _STORED and name not in _NEUTRAL and name not in ROUTED
        )
        if "Condition" in resource:
            notes += (f"{logical_id}: its Condition is not acted on",)
        is_image = self._is_image(logical_id, merged, resource, where, properties)
        name = self._typed(merged, "FunctionName", str, logical_id, where, properties)
        if not NAME_PATTERN.fullmatch(name):
            raise document.error(f"{where}.FunctionName: '{name}' is no function name", properties)
        routes, unread = self._routes.read(logical_id, name, _merge(self._globals, properties))
        environment = document.mapping(merged.get("Environment", {}), f"{where}.Environment", properties)
        variables = environment.get("Variables")
        settings: dict[str, Any] = {}
        for stored, shape in _STORED.items():
            if stored in merged:
                settings.update(shape(merged[stored]))
        if (wrong := complaint(settings.get("FileSystemConfigs", []))) is not None:
            raise document.error(f"{where}.FileSystemConfigs {wrong}", properties)
        architectures = merged.get("Architectures", ["x86_64"])
        if architectures not in (["x86_64"], ["arm64"]):
            raise document.error(
                f"{where}.Architectures must be [x86_64] or [arm64], not {architectures!r}", properties
            )
        if is_image and "ImageConfig" in merged:
            settings["ImageConfig"] = self._image_config(merged["ImageConfig"], f"{where}.ImageConfig", properties)
        storage = document.mapping(merged.get("EphemeralStorage", {}), f"{where}.EphemeralStorage", properties)
        tags = document.mapping(merged.get("Tags", {}), f"{where}.Tags", properties)
        layers = self._layers.check_references(f"{where}.Layers", merged.get("Layers", []), properties)
        configuration = FunctionConfiguration(
            runtime=self._typed(merged, "Runtime", str, "", where, properties),
            handler=self._typed(merged, "Handler", str, "", where, properties),
            role=self._typed(merged, "Role", str, ROLE.format(account=self._account.id), where, properties),
            description=self._typed(merged, "Description", str, "", where, properties),
            timeout=self._whole(merged, "Timeout", 3, 1, 900, where, properties),
            memory_size=self._whole(merged, "MemorySize", 128, 128, 10240, where, properties),
            ephemeral_storage=self._whole(storage, "Size", 512, 512, 10240, f"{where}.EphemeralStorage", properties),
            architecture=architectures[0],
            environment=None
            if variables is None
            else self._texts(variables, f"{where}.Environment.Variables", properties),
            layers=layers,
            settings=settings,
        )
        return DesiredFunction(
            name=name,
            logical_id=logical_id,
            configuration=configuration,
            folder=None if is_image else beside(document, merged["CodeUri"], f"{where}.CodeUri", properties),
            image=self._typed(merged, "ImageUri", str, "", where, properties) if is_image else None,
            tags={**self._texts(tags, f"{where}.Tags", properties), "lambda:createdBy": "SAM"},
            notes=notes + unread,
            routes=routes,
            layers=tuple(self._layers.read(referred(configuration))),
            auto_publish_alias=self._alias(merged, where, properties),
        )

    def _is_image(
        self, logical_id: str, values: dict[str, Any], resource: Mapping[str, Any], where: str, near: object
    ) -> bool:
        """Is it a container image? What its kind of package needs must be there, and what it cannot have must not."""
        document, package = self._document, values.get("PackageType", "Zip")
        if package not in ("Zip", "Image"):
            raise document.error(f"{where}.PackageType must be Zip or Image, not {package!r}", near)
        if package == "Zip":
            for required in ("Handler", "Runtime", "CodeUri"):
                if required not in values:
                    raise document.error(f"{where} has no {required}, and Globals.Function has none", near)
            return False
        for name in ("Handler", "Runtime", "Layers", "CodeUri"):
            if name in self._own(resource):
                raise document.error(f"{where}.{name}: a container image has none", near)
            values.pop(name, None)
        if "ImageUri" not in values:
            image = logical_id.lower()
            raise document.error(
                f"{where} has no ImageUri, and Workbench builds no images: docker build -t {image} FOLDER, "
                f"and ImageUri: {image}",
                near,
            )
        return True

    def _own(self, resource: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._document.mapping(resource.get("Properties", {}), "Properties", resource)

    def _image_config(self, given: Any, where: str, near: object) -> dict[str, Any]:
        config = self._document.mapping(given, where, near)
        for name, value in config.items():
            texts = isinstance(value, list) and all(isinstance(word, str) for word in value)
            if not {"EntryPoint": texts, "Command": texts, "WorkingDirectory": isinstance(value, str)}.get(name, False):
                raise self._document.error(
                    f"{where} takes EntryPoint and Command, lists of text, and WorkingDirectory; not {name}: {value!r}",
                    near,
                )
        return dict(config)

    def _alias(self, values: Mapping[str, Any], where: str, near: object) -> str | None:
        name = values.get("AutoPublishAlias")
        if name is not None and not (isinstance(name, str) and ALIAS_PATTERN.fullmatch(name)):
            raise self._document.error(f"{where}.AutoPublishAlias: '{name}' is no alias name", near)
        return name

    def _typed(self, values: Mapping[str, Any], key: str, kind: type, default: Any, where: str, near: object) -> Any:
        value = values.get(key, default)
        if not isinstance(value, kind):
            raise self._document.error(f"{where}.{key} must be a {kind.__name__}, not {value!r}", near)
        return value

    def _whole(
        self, values: Mapping[str, Any], key: str, default: int, low: int, high: int, where: str, near: object
    ) -> int:
        value = values.get(key, default)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self._document.error(
                f"{where}.{key} must be a whole number from {low} to {high}, not {value!r}", near
            )
        return value

    def _texts(self, values: Any, where: str, near: object) -> dict[str, str]:
        pairs = self._document.mapping(values, where, near).items()
        return {str(name): self._text(value, f"{where}.{name}", values) for name, value in pairs}

    def _text(self, value: Any, where: str, near: object) -> str:
        """A plain value as CloudFormation hands it on."""
        if isinstance(value, bool):
            return str(value).lower()
        if not isinstance(value, (str, int, float)):
            raise self._document.error(f"{where} must be text", near)
        return str(value)

    # -- intrinsics
    def _resolve(self, value: Any, where: str, near: object) -> Any:
        if isinstance(value, list):
            return [self._resolve(item, where, near) for item in value]
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
            if name == "Fn::Join":
                return self._join(argument, where, value)
            if isinstance(name, str) and name.startswith("Fn::"):
                raise self._document.error(f"{where}: {name} is not supported yet", value)
        items = {key: self._resolve(item, f"{where}.{key}", value) for key, item in value.items()}
        return Located(items, getattr(value, "line", 0))

    def _reference(self, name: Any, where: str, near: object) -> str:
        pseudo = {
            "AWS::Region": self._account.region,
            "AWS::AccountId": self._account.id,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": self._document.path.parent.resolve().name,
        }
        if isinstance(name, str):
            if name in self._parameters:
                return self._produce(self._parameters[name], where, near)
            if name in pseudo:
                return self._produce(pseudo[name], where, near)
            if self._is_layer(name):
                return reference(name)
            if self._is(name, (ACCESS_POINT,)):
                return self._produce(access_point_id(name), where, near)
            if (api := self._routes.api_id(name)) is not None:
                return self._produce(api, where, near)
            if name in self._resources:
                return self._produce(self._function_name(name, where, near), where, near)
        raise self._document.error(
            f"{where}: nothing is called '{name}'"
            + ("; a parameter without a default needs a value" if self._declares(name) else ""),
            near,
        )

    def _attribute(self, argument: Any, where: str, near: object) -> str:
        parts = argument.split(".", 1) if isinstance(argument, str) else argument
        if isinstance(parts, list) and parts and all(isinstance(part, str) for part in parts):
            logical_id, attribute = parts[0], ".".join(parts[1:])
            if attribute == "LayerVersionArn" and self._is_layer(logical_id):
                return reference(logical_id)
            if attribute == "Arn" and self._is(logical_id, (ACCESS_POINT,)):
                return self._produce(access_point_arn(self._account, access_point_id(logical_id)), where, near)
            if attribute == "Arn" and logical_id in self._resources:
                arn = self._account.function_arn(self._function_name(logical_id, where, near))
                return self._produce(arn, where, near)
        raise self._document.error(f"{where}: !GetAtt {argument} cannot be resolved yet", near)

    def _declares(self, name: Any) -> bool:
        """Does the template have a parameter of this name, with or without a value?"""
        root = self._document.mapping(self._document.root, "the template")
        return isinstance(name, str) and name in self._document.mapping(root.get("Parameters", {}), "Parameters", root)

    def _is_layer(self, logical_id: str) -> bool:
        return self._is(logical_id, KINDS)

    def _is(self, logical_id: str, kinds: Collection[str]) -> bool:
        resource = self._resources.get(logical_id)
        return isinstance(resource, dict) and resource.get("Type") in kinds

    def _function_name(self, logical_id: str, where: str, near: object) -> str:
        resource = self._resources[logical_id]
        if not isinstance(resource, dict) or resource.get("Type") != FUNCTION:
            kind = resource.get("Type") if isinstance(resource, dict) else "resource"
            raise self._document.error(f"{where}: {logical_id} is a {kind}, which cannot be referred to yet", near)
        if logical_id in self._naming:
            raise self._document.error(f"{where}: the name of {logical_id} refers to itself", near)
        if logical_id not in self._names:
            self._naming.add(logical_id)
            name = self._document.mapping(resource.get("Properties", {}), logical_id, resource).get(
                "FunctionName", logical_id
            )
            self._names[logical_id] = self._text(self._resolve(name, where, near), f"{logical_id}.FunctionName", near)
            self._naming.discard(logical_id)
        return self._names[logical_id]

    def _substitute(self, argument: Any, where: str, near: object) -> str:
        text, own = argument, {}
        if isinstance(argument, list) and len(argument) == 2 and isinstance(argument[1], dict):
            text, own = argument[0], self._texts(self._resolve(argument[1], where, near), where, near)
        if not isinstance(text, str):
            raise self._document.error(f"{where}: !Sub needs text", near)

        def fill(match: re.Match[str]) -> str:
            literal, name = match.groups()
            if literal:
                return f"${{{name}}}"
            if name in own:
                return self._produce(own[name], where, near)
            return self._attribute(name, where, near) if "." in name else self._reference(name, where, near)

        return self._produce(_REFERENCE.sub(fill, text), where, near)

    def _join(self, argument: Any, where: str, near: object) -> str:
        if not isinstance(argument, list) or len(argument) != 2 or not isinstance(argument[0], str):
            raise self._document.error(f"{where}: !Join needs a delimiter and a list", near)
        parts = self._resolve(argument[1], where, near)
        if not isinstance(parts, list):
            raise self._document.error(f"{where}: !Join needs a list, not {type(parts).__name__}", near)
        texts = [self._text(part, f"{where}: what !Join joins", near) for part in parts]
        return self._produce(argument[0].join(texts), where, near)

    def _produce(self, text: str, where: str, near: object) -> str:
        """Count what references grow to: a parameter that is named often can make a small template large."""
        self._produced += len(text)
        if self._produced > MAX_EXPANDED:
            raise self._document.error(f"{where}: references grow to more than {MAX_EXPANDED} characters", near)
        return text


def _merge(below: Any, above: Any) -> Any:
    """Globals and a function: maps are merged with the function winning, lists joined, the rest replaced."""
    if isinstance(below, dict) and isinstance(above, dict) and not (_intrinsic(below) or _intrinsic(above)):
        merged = {**below, **above}
        merged.update({key: _merge(below[key], above[key]) for key in below.keys() & above.keys()})
        return Located(merged, getattr(above, "line", 0) or getattr(below, "line", 0))
    if isinstance(below, list) and isinstance(above, list):
        return [*below, *above]
    return above


def _intrinsic(value: Mapping[Any, Any]) -> bool:
    """Does this mapping stand for a value? It is replaced whole."""
    name = next(iter(value), "")
    return len(value) == 1 and isinstance(name, str) and (name == "Ref" or name.startswith("Fn::"))
