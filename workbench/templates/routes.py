"""Routes that a template's functions ask for: `Events` of type Api and HttpApi, and `FunctionUrlConfig`.

Functions without `RestApiId` or `ApiId` share the two implicit APIs. Source: AWS SAM specification, "Api", "HttpApi",
"AWS::Serverless::Api", "AWS::Serverless::HttpApi", "FunctionUrlConfig"; API Gateway quotas (integration timeouts).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any

from workbench.model.routes import ANY, DEFAULT, ApiKind, Route
from workbench.templates.document import Document

#: Properties of a function that are read here.
ROUTED = ("Events", "FunctionUrlConfig")
_KINDS = {"Api": ApiKind.REST, "HttpApi": ApiKind.HTTP}
_REFERENCES = {ApiKind.REST: "RestApiId", ApiKind.HTTP: "ApiId"}
_RESOURCES = {ApiKind.REST: "AWS::Serverless::Api", ApiKind.HTTP: "AWS::Serverless::HttpApi"}
_IMPLICIT = {ApiKind.REST: ("ServerlessRestApi", "Prod"), ApiKind.HTTP: ("ServerlessHttpApi", DEFAULT)}
_SECONDS = {ApiKind.REST: 29.0, ApiKind.HTTP: 30.0}
_METHODS = frozenset(("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", ANY))
_ANY_METHOD = "X-AMAZON-APIGATEWAY-ANY-METHOD"
_KNOWN = {
    ApiKind.REST: {"Path", "Method", "RestApiId", "TimeoutInMillis"},
    ApiKind.HTTP: {"Path", "Method", "ApiId", "TimeoutInMillis", "PayloadFormatVersion"},
}
_API_ACTED = {ApiKind.REST: {"StageName", "BinaryMediaTypes", "Name"}, ApiKind.HTTP: {"StageName", "Name"}}
_SEGMENT = re.compile(r"[^{}]+|\{[A-Za-z0-9._:-]+\+?\}")
_DIGITS = "abcdefghijklmnopqrstuvwxyz0123456789"

Resolve = Callable[[Any, str, object], Any]


class RouteReader:
    """Reads the routes of one template. `resolve` replaces intrinsics."""

    def __init__(self, document: Document, resources: Mapping[Any, Any], resolve: Resolve) -> None:
        self._document = document
        self._resources = resources
        self._resolve = resolve
        self._source = str(document.path.resolve())
        self._taken: set[tuple[str, str, str]] = set()

    def read(
        self, logical_id: str, function: str, properties: Mapping[str, Any]
    ) -> tuple[tuple[Route, ...], tuple[str, ...]]:
        """A function's routes, and notes on what of its events is not acted on.

        Raises:
            TemplateError: with the file and line of what is wrong.
        """
        routes: list[Route] = []
        notes: list[str] = []
        where = f"{logical_id}.Properties.Events"
        events = self._document.mapping(properties.get("Events", {}), where, properties)
        for name, event in events.items():
            event = self._document.mapping(event, f"{where}.{name}", events)
            kind = _KINDS.get(str(event.get("Type")))
            if kind is None:
                notes.append(f"{logical_id}: the event {name} of type {event.get('Type')} is not acted on")
                continue
            route, unread = self._route(kind, f"{where}.{name}", function, event)
            self._claim(route, f"{where}.{name}", event)
            routes.append(route)
            notes += [f"{logical_id}: {key} of {name} is not acted on" for key in unread]
        if "FunctionUrlConfig" in properties:
            route, unread = self._url(logical_id, function, properties)
            routes.append(route)
            notes += [f"{logical_id}: {key} of FunctionUrlConfig is not acted on" for key in unread]
        return tuple(routes), tuple(notes)

    def api_id(self, name: str) -> str | None:
        """The id of an API by its logical id, implicit ones included; None for what is no API of the template."""
        resource = self._resources.get(name)
        declared = isinstance(resource, dict) and resource.get("Type") in _RESOURCES.values()
        implicit = resource is None and name in {implicit for implicit, _ in _IMPLICIT.values()}
        return _identifier(10, self._source, name) if declared or implicit else None

    def _route(
        self, kind: ApiKind, where: str, function: str, event: Mapping[str, Any]
    ) -> tuple[Route, tuple[str, ...]]:
        given = self._document.mapping(event.get("Properties", {}), f"{where}.Properties", event)
        where = f"{where}.Properties"
        api, stage, binary, unread = self._api(
            kind, given.get(_REFERENCES[kind]), f"{where}.{_REFERENCES[kind]}", given
        )
        path, method = self._value(given, "Path", where), self._value(given, "Method", where)
        if kind is ApiKind.REST and (path is None or method is None):
            raise self._document.error(f"{where} needs a Path and a Method", event)
        payload = self._value(given, "PayloadFormatVersion", where) or "2.0"
        if payload not in ("1.0", "2.0"):
            raise self._document.error(f"{where}.PayloadFormatVersion must be '1.0' or '2.0', not {payload!r}", given)
        limit = _SECONDS[kind]
        timeout = self._value(given, "TimeoutInMillis", where)
        if timeout is not None:
            if not timeout.isascii() or not timeout.isdigit() or not 50 <= int(timeout[:9]) <= limit * 1000:
                raise self._document.error(f"{where}.TimeoutInMillis must be from 50 to {limit * 1000:.0f}", given)
            limit = int(timeout) / 1000
        route = Route(
            method=self._method(method, where, given),
            path=DEFAULT if path is None else self._path(path, where, given),
            function=function,
            kind=kind,
            payload="1.0" if kind is ApiKind.REST else payload,
            stage=stage,
            api=_identifier(10, self._source, api),
            timeout=limit,
            binary=binary,
        )
        unread += tuple(str(key) for key in given if key not in _KNOWN[kind])
        return route, unread

    def _api(
        self, kind: ApiKind, reference: Any, where: str, near: object
    ) -> tuple[str, str, tuple[str, ...], tuple[str, ...]]:
        """The API that an event names, or the implicit one: its logical id, stage, binary types, and what is unread."""
        implicit, stage = _IMPLICIT[kind]
        settings = self._globals(kind)
        if isinstance(reference, dict) and set(reference) == {"Ref"}:
            reference = reference["Ref"]
        if reference in (None, implicit):
            name = implicit
        else:
            resource = self._resources.get(reference) if isinstance(reference, str) else None
            if not isinstance(resource, dict) or resource.get("Type") != _RESOURCES[kind]:
                raise self._document.error(f"{where}: '{reference}' is no {_RESOURCES[kind]} of this template", near)
            name = str(reference)
            own = self._document.mapping(resource.get("Properties", {}), f"{name}.Properties", resource)
            settings = {**settings, **own}
            stage = self._value(settings, "StageName", f"{name}.Properties") or stage
        types = self._resolve(settings.get("BinaryMediaTypes", []), f"{name}.BinaryMediaTypes", near)
        if not isinstance(types, list) or not all(isinstance(each, str) for each in types):
            raise self._document.error(f"{name}.BinaryMediaTypes must be a list of media types", near)
        unread = tuple(f"{key} of {name}, the API" for key in settings if key not in _API_ACTED[kind])
        return name, stage, tuple(each.replace("~1", "/") for each in types), unread

    def _globals(self, kind: ApiKind) -> dict[Any, Any]:
        root = self._document.mapping(self._document.root, "the template")
        globals_ = self._document.mapping(root.get("Globals", {}), "Globals", root)
        name = "Api" if kind is ApiKind.REST else "HttpApi"
        return self._document.mapping(globals_.get(name, {}), f"Globals.{name}", globals_)

    def _url(self, logical_id: str, function: str, properties: Mapping[str, Any]) -> tuple[Route, tuple[str, ...]]:
        where = f"{logical_id}.Properties.FunctionUrlConfig"
        config = self._document.mapping(properties["FunctionUrlConfig"], where, properties)
        auth = self._value(config, "AuthType", where)
        if auth not in ("NONE", "AWS_IAM"):
            raise self._document.error(f"{where}.AuthType must be NONE or AWS_IAM, not {auth!r}", config)
        unread = [key for key in config if key not in ("AuthType", "InvokeMode")]
        mode = self._value(config, "InvokeMode", where)
        if mode not in (None, "BUFFERED", "RESPONSE_STREAM"):
            raise self._document.error(f"{where}.InvokeMode must be BUFFERED or RESPONSE_STREAM, not {mode!r}", config)
        route = Route(
            method=ANY,
            path=DEFAULT,
            function=function,
            kind=ApiKind.URL,
            payload="2.0",
            stage=DEFAULT,
            api=_identifier(32, self._source, logical_id),
            auth=auth,
            streaming=mode == "RESPONSE_STREAM",
        )
        return route, tuple(unread)

    def _claim(self, route: Route, where: str, near: object) -> None:
        shape = re.sub(r"\{[^{}+]*(\+?)\}", r"{\1}", route.path).rstrip("/") or "/"
        key = (route.api, route.method, shape)
        if key in self._taken:
            raise self._document.error(f"{where}: another event has the route '{route}' of the same API", near)
        self._taken.add(key)

    def _value(self, values: Mapping[str, Any], key: str, where: str) -> str | None:
        """A plain value as text, or None when it is not given."""
        if key not in values:
            return None
        value = self._resolve(values[key], f"{where}.{key}", values)
        if not isinstance(value, str | int | float) or isinstance(value, bool):
            raise self._document.error(f"{where}.{key} must be text", values)
        return str(value)

    def _method(self, method: str | None, where: str, near: object) -> str:
        name = ANY if method is None or method.upper() == _ANY_METHOD else method.upper()
        if name not in _METHODS:
            raise self._document.error(f"{where}.Method: '{method}' is no method of API Gateway", near)
        return name

    def _path(self, path: str, where: str, near: object) -> str:
        if path == DEFAULT:
            return path
        segments = path.removeprefix("/").removesuffix("/").split("/")
        if not path.startswith("/") or (path != "/" and not all(_SEGMENT.fullmatch(each) for each in segments)):
            rule = "a parameter is a whole segment" if path.startswith("/") else "it starts with /"
            raise self._document.error(f"{where}.Path: '{path}' is no path; {rule}", near)
        if any(each.endswith("+}") for each in segments[:-1]):
            raise self._document.error(f"{where}.Path: '{path}' has a greedy parameter that is not at its end", near)
        return "/" + "/".join(segments)


def _identifier(length: int, *parts: str) -> str:
    """An id in API Gateway's form, the same at every deployment."""
    number = int.from_bytes(hashlib.sha512("\0".join(parts).encode("utf-8", "replace")).digest())
    found = ""
    for _ in range(length):
        number, digit = divmod(number, len(_DIGITS))
        found += _DIGITS[digit]
    return found
