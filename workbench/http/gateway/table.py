"""Finds the route of a request: exact segments before `{param}` before `{proxy+}` before `$default`.

Slashes at the end, and doubled ones, make no difference to which route is taken; the event shows them as sent.
Source: API Gateway Developer Guide, "Routes for HTTP APIs" (order of evaluation) and "Set up a proxy resource";
powertools-lambda-python issue 1552 (slashes at the end, measured on AWS for both kinds of API).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from workbench.model.routes import ANY, DEFAULT, ApiKind, Route

#: What `ANY` stands for; API Gateway knows no other methods.
METHODS = frozenset(("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"))
#: Function URLs by path, for those who cannot make up host names: `/_url/NAME[:ALIAS]/…`.
URL_PREFIX = "/_url/"
_HOST = re.compile(r"([a-z0-9]{1,64})\.(lambda-url|execute-api)\.")
_PARAMETER = re.compile(r"\{([^{}+]+)(\+?)\}")


@dataclass(frozen=True, slots=True)
class Match:
    """A route, the path parameters that it took (decoded), and the path that the function is to see, as sent."""

    route: Route
    parameters: Mapping[str, str]
    path: str


@dataclass(frozen=True, slots=True)
class Miss:
    """Nobody's request: the kind of front end that is to say so."""

    kind: ApiKind


@dataclass(slots=True)
class _Node:
    """One segment of the paths: by text, by parameter, by greedy parameter, and the routes that end here."""

    exact: dict[str, _Node] = field(default_factory=dict)
    parameter: _Node | None = None
    greedy: _Node | None = None
    ends: dict[str, tuple[Route, tuple[str, ...]]] = field(default_factory=dict)


class Table:
    """The routes of an engine. Of two routes for the same request the one that was brought last is taken."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._apis: dict[str, Table] = {}
        self._urls: dict[str, Route] = {}
        self._names: dict[str, Route] = {}
        self._roots = {ApiKind.REST: _Node(), ApiKind.HTTP: _Node()}
        self._default: Route | None = None
        self._kinds: set[ApiKind] = set()
        kept = tuple(routes)
        for route in kept:
            self._add(route)
        apis = {route.api for route in kept if route.kind is not ApiKind.URL}
        if len(apis) > 1:
            self._apis = {api: Table(route for route in kept if route.api == api) for api in apis}
        else:
            self._apis = dict.fromkeys(apis, self)

    def find(self, method: str, path: str, host: str) -> Match | Miss:
        """The route of a request. `path` is as sent; `host` may name an API or a function URL by its id."""
        named = _HOST.match(host.lower())
        if named is not None:
            identifier, service = named.groups()
            if service == "lambda-url":
                url = self._urls.get(identifier)
                return Miss(ApiKind.URL) if url is None else Match(url, {}, path or "/")
            return self._apis.get(identifier, _EMPTY)._find(method, path)
        if path.startswith(URL_PREFIX):
            name, _, rest = path.removeprefix(URL_PREFIX).partition("/")
            url = self._names.get(unquote(name))
            return Miss(ApiKind.URL) if url is None else Match(url, {}, f"/{rest}")
        return self._find(method, path)

    def _find(self, method: str, path: str) -> Match | Miss:
        segments = [unquote(segment) for segment in path.split("/") if segment] if path.startswith("/") else ["*"]
        if method in METHODS:
            for kind, root in self._roots.items():
                found = _walk(root, segments, method, path_first=kind is ApiKind.REST)
                if found is not None and (end := _end(found[0], method)) is not None:
                    route, names = end
                    return Match(route, dict(zip(names, found[1], strict=True)), path)
            if self._default is not None:
                return Match(self._default, {}, path)
        return Miss(ApiKind.HTTP if self._kinds == {ApiKind.HTTP} else ApiKind.REST)

    def _add(self, route: Route) -> None:
        self._kinds.add(route.kind)
        if route.kind is ApiKind.URL:
            self._urls[route.api] = route
            self._names[f"{route.function}:{route.qualifier}" if route.qualifier else route.function] = route
            return
        if route.path == DEFAULT:
            self._default = route
            return
        node, names = self._roots[route.kind], []
        for segment in route.path.split("/"):
            parameter = _PARAMETER.fullmatch(segment)
            if parameter is None:
                if segment:
                    node = node.exact.setdefault(segment, _Node())
                continue
            names.append(parameter[1])
            if parameter[2]:
                node.greedy = node.greedy or _Node()
                node = node.greedy
            else:
                node.parameter = node.parameter or _Node()
                node = node.parameter
        node.ends[route.method] = (route, tuple(names))


_EMPTY = Table(())


def _end(node: _Node, method: str) -> tuple[Route, tuple[str, ...]] | None:
    return node.ends.get(method) or node.ends.get(ANY)


def _walk(root: _Node, segments: list[str], method: str, *, path_first: bool) -> tuple[_Node, tuple[str, ...]] | None:
    """The best node for the segments, with the values of its parameters.

    A REST API picks the resource by its path alone (`path_first`), so that a resource without the method hides a
    broader one; an HTTP API looks at routes that take the method only. The stack replaces recursion, since paths may
    be long; the nodes are a tree, so each is looked at once at most.
    """
    stack: list[tuple[_Node, int, tuple[str, ...]]] = [(root, 0, ())]
    while stack:
        node, at, values = stack.pop()
        if at == len(segments):
            if node.ends if path_first else _end(node, method) is not None:
                return node, values
            continue
        # Pushed from the weakest to the strongest: the last is looked at first, and wholly, before the others.
        if node.greedy is not None:
            stack.append((node.greedy, len(segments), (*values, "/".join(segments[at:]))))
        if node.parameter is not None:
            stack.append((node.parameter, at + 1, (*values, segments[at])))
        exact = node.exact.get(segments[at])
        if exact is not None:
            stack.append((exact, at + 1, values))
    return None
