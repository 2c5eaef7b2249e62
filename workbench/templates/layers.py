"""Reads the layers of a template, and publishes those that have changed.

The ARN of a layer version is known once it is published; until then a reference to it is text that nothing else in a
template can be. Source: AWS SAM specification, "AWS::Serverless::LayerVersion"; CloudFormation,
"AWS::Lambda::LayerVersion".
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workbench.client.port import EnginePort
from workbench.model.errors import UsageError, WorkbenchError
from workbench.model.functions import FunctionConfiguration
from workbench.model.layers import LAYER_NAME_PATTERN, LayerVersion, NewLayerVersion, layer_arn, parse_layer_arn
from workbench.model.names import Account
from workbench.templates.beside import beside
from workbench.templates.document import Document
from workbench.templates.pack import pack

SERVERLESS, PLAIN = "AWS::Serverless::LayerVersion", "AWS::Lambda::LayerVersion"
KINDS = (SERVERLESS, PLAIN)
_REFERENCE = re.compile("\0([^\0]*)\0")
#: The property that names the folder or the archive.
_CONTENT = {SERVERLESS: "ContentUri", PLAIN: "Content"}
_ACTED = ("LayerName", "Description", "LicenseInfo", "CompatibleRuntimes", "CompatibleArchitectures", "RetentionPolicy")


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredLayer:
    """A layer as a template wants it; `content` is a folder or a zip. `notes` say what of it is not acted on."""

    name: str
    logical_id: str
    content: Path
    description: str = ""
    license_info: str | None = None
    runtimes: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def reference(logical_id: str) -> str:
    """What stands for the ARN of a layer version that is not published yet. YAML knows no NUL."""
    return f"\0{logical_id}\0"


class LayerReader:
    """The layers among a template's resources. `resolve` gives a property's value with its intrinsics resolved."""

    def __init__(
        self,
        document: Document,
        resources: Mapping[str, Any],
        resolve: Callable[[Any, str, object], Any],
        account: Account,
    ) -> None:
        self._account = account
        self._document = document
        self._resources = resources
        self._resolve = resolve

    def read(self, only: Collection[str] | None = None) -> list[DesiredLayer]:
        """Every layer, or those of these logical ids, as they stand in the template.

        Raises:
            TemplateError: with the line of what is wrong.
        """
        found: list[DesiredLayer] = []
        for logical_id, resource in self._resources.items():
            if not isinstance(resource, dict) or resource.get("Type") not in KINDS:
                continue
            if only is None or logical_id in only:
                layer = self._layer(logical_id, resource)
                if any(layer.name == other.name for other in found):
                    raise self._document.error(f"two layers are named '{layer.name}'", resource)
                found.append(layer)
        return found

    def check_references(self, where: str, layers: Any, near: object) -> tuple[str, ...]:
        """The `Layers` of a function: ARNs, and references to layers of this template."""
        if not isinstance(layers, list) or not all(isinstance(layer, str) for layer in layers):
            raise self._document.error(f"{where} must be a list of the ARNs of layer versions", near)
        for layer in layers:
            arn = parse_layer_arn(layer)
            if arn is not None and arn.account != self._account.id:
                raise self._document.error(
                    f"{where}: {layer} belongs to another account and cannot be fetched here; publish its archive with "
                    f"'workbench layers publish {arn.name} ARCHIVE.zip' and name the ARN that it gets",
                    near,
                )
        return tuple(layers)

    def _layer(self, logical_id: str, resource: dict[Any, Any]) -> DesiredLayer:
        document, content = self._document, _CONTENT[resource["Type"]]
        where = f"{logical_id}.Properties"
        properties = document.mapping(resource.get("Properties", {}), where, resource)
        values = {
            name: self._resolve(value, f"{where}.{name}", properties)
            for name, value in properties.items()
            if name in (*_ACTED, content)
        }
        if content not in values:
            raise document.error(f"{where} has no {content}", properties)
        notes = [f"{logical_id}: {name} is not acted on" for name in properties if name not in values]
        if values.get("RetentionPolicy", "Retain") not in ("Retain", "retain"):
            notes.append(f"{logical_id}: RetentionPolicy is not acted on: earlier versions stay")
        if "BuildMethod" in document.mapping(resource.get("Metadata", {}), f"{logical_id}.Metadata", resource):
            notes.append(f"{logical_id}: BuildMethod is not acted on: its {content} is taken as it is")
        name = self._text(values, "LayerName", where, properties) or logical_id
        if not LAYER_NAME_PATTERN.fullmatch(name):
            raise document.error(f"{where}.LayerName: '{name}' is no layer name", properties)
        return DesiredLayer(
            name=name,
            logical_id=logical_id,
            content=beside(document, values[content], f"{where}.{content}", properties, archive=True),
            description=self._text(values, "Description", where, properties) or "",
            license_info=self._text(values, "LicenseInfo", where, properties),
            runtimes=self._texts(values, "CompatibleRuntimes", where, properties),
            architectures=self._texts(values, "CompatibleArchitectures", where, properties),
            notes=tuple(notes),
        )

    def _text(self, values: Mapping[str, Any], key: str, where: str, near: object) -> str | None:
        value = values.get(key)
        if value is not None and not isinstance(value, str):
            raise self._document.error(f"{where}.{key} must be text, not {value!r}", near)
        return value

    def _texts(self, values: Mapping[str, Any], key: str, where: str, near: object) -> tuple[str, ...]:
        value = values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._document.error(f"{where}.{key} must be a list of text, not {value!r}", near)
        return tuple(value)


def referred(configuration: FunctionConfiguration) -> set[str]:
    """The logical ids of the layers that a function's configuration speaks of."""
    texts = [configuration.description, *configuration.layers, *(configuration.environment or {}).values()]
    return {logical_id for text in texts for logical_id in _REFERENCE.findall(text)}


def filled(configuration: FunctionConfiguration, arns: Mapping[str, str]) -> FunctionConfiguration:
    """A configuration with the ARNs of layer versions, by logical id, in place of the references to them."""

    def fill(text: str) -> str:
        return _REFERENCE.sub(lambda match: arns[match[1]], text)

    environment = configuration.environment
    return replace(
        configuration,
        description=fill(configuration.description),
        layers=tuple(fill(layer) for layer in configuration.layers),
        environment=environment and {name: fill(value) for name, value in environment.items()},
    )


async def publish(port: EnginePort, wanted: DesiredLayer) -> tuple[str, list[str]]:
    """Have a layer's newest version be as wanted: its ARN, and what was done, a line each.

    Raises:
        WorkbenchError: the archive was refused.
    """
    archive = archive_of(wanted.content)
    new = NewLayerVersion(
        name=wanted.name,
        code=archive,
        description=wanted.description,
        license_info=wanted.license_info,
        runtimes=wanted.runtimes,
        architectures=wanted.architectures,
    )
    versions = await port.list_layer_versions(wanted.name)
    account = await port.account()
    if versions and _same(versions[0], new):
        return layer_arn(account, wanted.name, versions[0].version), []
    try:
        version = await port.publish_layer_version(new)
    except WorkbenchError as error:
        raise WorkbenchError(f"layer {wanted.name}: {error}") from error
    notes = wanted.notes if version.version == 1 else ()
    return layer_arn(account, wanted.name, version.version), [
        f"published version {version.version} of layer {wanted.name}",
        *notes,
    ]


def _same(version: LayerVersion, new: NewLayerVersion) -> bool:
    return version.code.sha256 == hashlib.sha256(new.code).hexdigest() and (
        version.description,
        version.license_info,
        version.runtimes,
        version.architectures,
    ) == (new.description, new.license_info, new.runtimes, new.architectures)


def archive_of(content: Path) -> bytes:
    """A folder packed, or a zip archive as it is.

    Raises:
        UsageError: it cannot be read.
    """
    if content.is_dir():
        return pack(content)
    try:
        return content.read_bytes()
    except OSError as error:
        raise UsageError(f"{content} cannot be read: {error.strerror or error}") from error
