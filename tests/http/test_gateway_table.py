"""Which route takes a request, for both kinds of API, against a model that looks at every route."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.http.gateway.table import Match, Miss, Table
from workbench.model.routes import ANY, ApiKind, Route


def route(line: str, kind: ApiKind, api: str = "api") -> Route:
    method, _, path = line.partition(" ")
    return Route(
        method=method if path else ANY,
        path=path or line,
        function=line,
        kind=kind,
        payload="1.0" if kind is ApiKind.REST else "2.0",
        stage="Prod",
        api=api,
    )


def taken(table: Table, request: str, host: str = "") -> str | ApiKind:
    method, _, path = request.partition(" ")
    found = table.find(method, path, host)
    return found.kind if isinstance(found, Miss) else found.route.function


#: The developer guide's own example, and what this page adds.
LINES = ("GET /pets/dog/1", "GET /pets/dog/{id}", "GET /pets/{proxy+}", "ANY /{proxy+}", "POST /pets/dog/{id}", "GET /")


@pytest.mark.parametrize("kind", [ApiKind.REST, ApiKind.HTTP])
@pytest.mark.parametrize(
    ("request_line", "line"),
    [
        ("GET /pets/dog/1", "GET /pets/dog/1"),
        ("GET /pets/dog/1/", "GET /pets/dog/1"),
        ("GET //pets//dog/1", "GET /pets/dog/1"),
        ("GET /pets/dog/%31", "GET /pets/dog/1"),
        ("GET /pets/dog/2", "GET /pets/dog/{id}"),
        ("POST /pets/dog/2", "POST /pets/dog/{id}"),
        ("GET /pets/cat/1", "GET /pets/{proxy+}"),
        ("GET /pets/dog/1/more", "GET /pets/{proxy+}"),
        ("GET /pets/dog%2F1", "GET /pets/{proxy+}"),
        ("DELETE /test/5", "ANY /{proxy+}"),
        ("GET /pets", "ANY /{proxy+}"),
        ("GET /", "GET /"),
    ],
)
def test_the_most_specific_route_is_taken(kind: ApiKind, request_line: str, line: str) -> None:
    assert taken(Table(route(each, kind) for each in LINES), request_line) == line


def test_a_rest_resource_without_the_method_hides_a_broader_one() -> None:
    assert taken(Table(route(each, ApiKind.REST) for each in LINES), "DELETE /pets/dog/5") is ApiKind.REST
    assert taken(Table(route(each, ApiKind.HTTP) for each in LINES), "DELETE /pets/dog/5") == "ANY /{proxy+}"


def test_default_takes_what_no_other_does() -> None:
    table = Table([route("$default", ApiKind.HTTP, "h"), route("GET /a", ApiKind.REST, "r")])
    assert [taken(table, line) for line in ("GET /a", "PUT /a", "GET /")] == ["GET /a", "$default", "$default"]


def test_an_api_is_alone_under_its_own_host() -> None:
    table = Table([route("GET /a", ApiKind.REST, "r"), route("ANY /a", ApiKind.HTTP, "h")])
    assert taken(table, "GET /a") == "GET /a"
    assert taken(table, "GET /a", "H.execute-api.localhost:3000") == "ANY /a"
    assert taken(table, "PUT /a", "r.execute-api.localhost") is ApiKind.REST
    assert taken(table, "GET /a", "nosuch.execute-api.localhost") is ApiKind.REST


def test_parameters_are_decoded_after_the_path_was_cut() -> None:
    found = Table([route("GET /{a}/x/{b+}", ApiKind.HTTP)]).find("GET", "/1%2F2/x/%C3%A4/%25/c", "")
    assert isinstance(found, Match)
    assert found.parameters == {"a": "1/2", "b": "ä/%/c"}


def test_a_long_path_is_no_burden() -> None:
    table = Table(route(f"GET {'/{a}' * n}/end", ApiKind.HTTP) for n in range(1, 50))
    assert taken(table, "GET " + "/x" * 100_000) is ApiKind.HTTP


_SEGMENTS = st.sampled_from(["a", "b", "{p}"])
_PATHS = st.builds(
    lambda parts, greedy: "/" + "/".join([*parts, *(["{g+}"] if greedy else [])]),
    st.lists(_SEGMENTS, max_size=3),
    st.booleans(),
)


@given(st.lists(_PATHS, unique=True, min_size=1, max_size=8), st.lists(st.sampled_from(["a", "b", "c"]), max_size=4))
def test_routing_agrees_with_a_plain_model(paths: list[str], segments: list[str]) -> None:
    def rank(path: str) -> list[int] | None:
        """Per segment 0 exact, 1 parameter, 2 greedy; None when the path does not fit."""
        ranks = []
        parts = [part for part in path.split("/") if part]
        for at, part in enumerate(parts):
            if part == "{g+}":
                return [*ranks, 2] if len(segments) > at else None
            if at >= len(segments) or part not in ("{p}", segments[at]):
                return None
            ranks.append(int(part == "{p}"))
        return ranks if len(parts) == len(segments) else None

    fitting = sorted((found, path) for path in paths if (found := rank(path)) is not None)
    best = f"GET {fitting[0][1]}" if fitting else ApiKind.HTTP
    assert taken(Table(route(f"GET {path}", ApiKind.HTTP) for path in paths), "GET /" + "/".join(segments)) == best
