"""Changes as calls of the aws CLI: what a shell makes of the text is what was meant."""

import json
import shlex

import pytest

from workbench.tui import aws_cli
from workbench.tui.alias_draft import Draft


def words(text: str) -> list[str]:
    return shlex.split(text.replace("\\\n", " "))


def test_an_update():
    draft = Draft("hello", "live", "7", "8", "0.1", "it's live", revision="r")
    found = words(aws_cli.save_alias(draft, "http://127.0.0.1:3001"))
    assert found[:5] == ["aws", "--endpoint-url", "http://127.0.0.1:3001", "lambda", "update-alias"]
    options = dict(zip(found[5::2], found[6::2], strict=True))
    assert options["--description"] == "it's live"
    assert json.loads(options["--routing-config"]) == {"AdditionalVersionWeights": {"8": 0.1}}


def test_a_creation_leaves_out_what_is_not_given_and_an_update_clears_the_routing():
    draft = Draft("hello", "live", "7")
    assert words(aws_cli.save_alias(draft)) == (
        ["aws", "lambda", "create-alias", "--function-name", "hello", "--name", "live", "--function-version", "7"]
    )
    cleared = words(aws_cli.save_alias(Draft("hello", "live", "7", revision="r")))
    assert cleared[-1] == '{"AdditionalVersionWeights":{}}'


@pytest.mark.parametrize("event", ["{}", '{"a": "$(reboot) \'; `x`"}', '"\\u001b[31m"'])
def test_an_invocation(event):
    found = words(aws_cli.invoke("hello", "live", "Event", event))
    assert found == [
        *("aws", "lambda", "invoke", "--function-name", "hello", "--qualifier", "live", "--invocation-type", "Event"),
        *("--cli-binary-format", "raw-in-base64-out", "--payload", event, "response.json"),
    ]
