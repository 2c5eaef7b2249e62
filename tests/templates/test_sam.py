"""SAM templates into desired functions: what is resolved, and what is refused with its file and line."""

from __future__ import annotations

import re
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workbench.model.errors import TemplateError
from workbench.model.functions import FunctionConfiguration
from workbench.model.names import Account
from workbench.templates.sam import DesiredFunction, function_names, read_template

ACCOUNT = Account("eu-central-1", "123456789012")
ROLE = "arn:aws:iam::123456789012:role/workbench"
ACCESS_POINT = "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-0123456789abcdef0"
Read = Callable[..., list[DesiredFunction]]

HEAD = """\
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.handler
      Runtime: python3.12
      CodeUri: src
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project" / "src").mkdir(parents=True)
    return tmp_path / "project"


@pytest.fixture
def read(project: Path) -> Read:
    """Read a template; `read(text, Name="value")` gives parameters."""

    def read(text: str, **parameters: str) -> list[DesiredFunction]:
        path = project / "template.yaml"
        path.write_text(textwrap.dedent(text))
        return read_template(path, parameters, ACCOUNT)

    return read


@pytest.fixture
def one(read: Read) -> Callable[..., DesiredFunction]:
    """The function of the usual template, with more properties (the first may be one of its own) and text around it."""

    def one(properties: str = "", *, before: str = "", after: str = "", **parameters: str) -> DesiredFunction:
        own = textwrap.dedent(properties).strip("\n")
        key = own.partition(":")[0]
        head = "".join(line for line in HEAD.splitlines(keepends=True) if not line.strip().startswith(f"{key}:"))
        body = before + head + textwrap.indent(own, " " * 6) + "\n" + after
        return read(body, **parameters)[0]

    return one


@pytest.fixture
def refused(one: Callable[..., DesiredFunction], project: Path) -> Callable[..., tuple[int | None, str]]:
    """The line and the message of an error; found in good time."""

    def refused(properties: str = "", **more: str) -> tuple[int | None, str]:
        started = time.monotonic()
        with pytest.raises(TemplateError) as caught:
            one(properties, **more)
        assert time.monotonic() - started < 5
        path, _, line = caught.value.where.partition(".yaml")
        assert path + ".yaml" == str(project / "template.yaml")
        assert caught.value.message.startswith(caught.value.where + ": ")
        return int(line[1:]) if line else None, caught.value.message.removeprefix(caught.value.where + ": ")

    return refused


# -- what a function becomes
def test_the_least_that_a_function_needs(one: Callable[..., DesiredFunction], project: Path) -> None:
    assert one() == DesiredFunction(
        name="Hello",
        logical_id="Hello",
        configuration=FunctionConfiguration(runtime="python3.12", handler="app.handler", role=ROLE),
        folder=project / "src",
        tags={"lambda:createdBy": "SAM"},
    )


def test_everything_that_is_acted_on(one: Callable[..., DesiredFunction]) -> None:
    function = one(
        """
        FunctionName: other-name
        Description: does things
        MemorySize: 512
        Timeout: "30"
        EphemeralStorage: {Size: 1024}
        Architectures: [arm64]
        Role: arn:aws:iam::1:role/mine
        Tracing: Active
        LoggingConfig: {LogFormat: JSON}
        PackageType: Zip
        FileSystemConfigs:
          - Arn: arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-0123456789abcdef0
            LocalMountPath: /mnt/files
        Tags: {CostCenter: 1234, Live: true}
        Environment:
          Variables: {TEXT: t, NUMBER: 5, FRACTION: 1.5, FLAG: true, EMPTY: "", DAY: 2012-10-17}
        Policies: [AWSLambdaBasicExecutionRole]
        """
    )
    assert function.name == "other-name"
    assert function.configuration == FunctionConfiguration(
        runtime="python3.12",
        handler="app.handler",
        role="arn:aws:iam::1:role/mine",
        description="does things",
        timeout=30,
        memory_size=512,
        ephemeral_storage=1024,
        architecture="arm64",
        environment={
            "TEXT": "t",
            "NUMBER": "5",
            "FRACTION": "1.5",
            "FLAG": "true",
            "EMPTY": "",
            "DAY": "2012-10-17",
        },
        settings={
            "TracingConfig": {"Mode": "Active"},
            "LoggingConfig": {"LogFormat": "JSON"},
            "FileSystemConfigs": [{"Arn": ACCESS_POINT, "LocalMountPath": "/mnt/files"}],
        },
    )
    assert function.tags == {"CostCenter": "1234", "Live": "true", "lambda:createdBy": "SAM"}
    assert function.notes == ()


def test_what_is_not_acted_on_is_said(one: Callable[..., DesiredFunction]) -> None:
    function = one("KmsKeyArn: x\nEvents: {Api: {Type: SQS}}\n", after="    Condition: IsProduction\n")
    assert function.notes == (
        "Hello: KmsKeyArn is not acted on",
        "Hello: its Condition is not acted on",
        "Hello: the event Api of type SQS is not acted on",
    )


def test_other_resources_are_left_alone(one: Callable[..., DesiredFunction]) -> None:
    after = "  Table: {Type: AWS::Serverless::SimpleTable}\nOutputs: {A: {Value: !GetAtt Table.Arn}}\n"
    assert one(after=after).name == "Hello"


def test_functions_come_in_the_order_of_the_template(read: Read) -> None:
    second = HEAD.removeprefix("Resources:\n").replace("Hello", "Abel")
    assert [function.name for function in read(HEAD + second)] == ["Hello", "Abel"]


# -- globals
def test_globals_are_below_the_function(one: Callable[..., DesiredFunction]) -> None:
    before = """\
Globals:
  Function:
    Timeout: 20
    MemorySize: 256
    Tags: {a: global, b: global}
    Environment: {Variables: {A: global, B: !Ref AWS::Region, C: !Ref AWS::Region}}
"""
    function = one(
        """
        MemorySize: 1024
        Tags: {b: own}
        Environment: {Variables: {A: own, C: !Sub own, D: own}}
        """,
        before=before,
    )
    configuration = function.configuration
    assert (configuration.timeout, configuration.memory_size) == (20, 1024)
    assert configuration.environment == {"A": "own", "B": "eu-central-1", "C": "own", "D": "own"}
    assert function.tags == {"a": "global", "b": "own", "lambda:createdBy": "SAM"}


def test_globals_give_what_the_function_must_have(read: Read) -> None:
    function = read(
        """
        Globals: {Function: {Handler: app.handler, Runtime: python3.12, CodeUri: src}}
        Resources: {F: {Type: AWS::Serverless::Function}}
        """
    )[0]
    assert (function.name, function.configuration.handler) == ("F", "app.handler")


# -- parameters and references
PARAMETERS = """\
Parameters:
  Stage: {Type: String, Default: dev, AllowedValues: [dev, prod]}
  Size: {Type: Number, Default: 256}
  Flag: {Type: String, Default: true, AllowedValues: [true, false]}
  Open: {Type: String}
"""


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("!Ref Stage", "dev"),
        ("!Ref Size", "256"),
        ("!Ref Flag", "true"),
        ("{Ref: Stage}", "dev"),
        ("!Ref AWS::Region", "eu-central-1"),
        ("!Ref AWS::AccountId", "123456789012"),
        ("!Ref AWS::Partition", "aws"),
        ("!Ref AWS::URLSuffix", "amazonaws.com"),
        ("!Ref AWS::StackName", "project"),
        ("!Ref Hello", "hello-dev"),
        ("!GetAtt Hello.Arn", "arn:aws:lambda:eu-central-1:123456789012:function:hello-dev"),
        ("!GetAtt [Hello, Arn]", "arn:aws:lambda:eu-central-1:123456789012:function:hello-dev"),
        (
            "!Sub 'a-${Stage}-${AWS::Region}-${Hello.Arn}'",
            "a-dev-eu-central-1-arn:aws:lambda:eu-central-1:123456789012:function:hello-dev",
        ),
        ("!Sub ['${Stage}/${Mine}/${Flag}', {Mine: !Ref Size, Stage: over, Flag: false}]", "over/256/false"),
        ("!Sub '${!Stage} $Stage $${Stage} }{'", "${Stage} $Stage $dev }{"),
        ("!Sub plain", "plain"),
        ("!Join ['-', [a, !Ref Stage, 1, true, !Join ['', [x, y]]]]", "a-dev-1-true-xy"),
        ("!Join ['', []]", ""),
    ],
)
def test_references_are_resolved(one: Callable[..., DesiredFunction], expression: str, value: str) -> None:
    function = one(
        f"FunctionName: !Sub hello-${{Stage}}\nEnvironment: {{Variables: {{X: {expression}}}}}\n", before=PARAMETERS
    )
    assert function.configuration.environment == {"X": value}


def test_an_access_point_of_the_template_can_be_referred_to(one: Callable[..., DesiredFunction]) -> None:
    files = "  Files: {Type: AWS::EFS::AccessPoint, Properties: {FileSystemId: fs-01234567}}\n"
    function = one("Environment: {Variables: {AA: !Ref Files, BB: !GetAtt Files.Arn}}", after=files)
    assert function.configuration.environment == {
        "AA": "fsap-abc7e9892806b047b",
        "BB": "arn:aws:elasticfilesystem:eu-central-1:123456789012:access-point/fsap-abc7e9892806b047b",
    }


IMAGE = """
Globals: {Function: {Runtime: python3.12, Handler: app.handler, CodeUri: src, Timeout: 7}}
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      PackageType: Image
"""


def test_a_container_image(read: Read) -> None:
    config = "{EntryPoint: [run], Command: [a, b c], WorkingDirectory: /w}"
    (function,) = read(IMAGE + f"      ImageUri: !Sub app:${{AWS::Region}}\n      ImageConfig: {config}\n")
    assert (function.image, function.folder) == ("app:eu-central-1", None)
    configuration = function.configuration
    assert (configuration.runtime, configuration.handler, configuration.timeout) == ("", "", 7)
    assert configuration.settings == {
        "ImageConfig": {"EntryPoint": ["run"], "Command": ["a", "b c"], "WorkingDirectory": "/w"}
    }


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ("", "no ImageUri, and Workbench builds no images: docker build -t hello FOLDER, and ImageUri: hello"),
        ("ImageUri: x\n      CodeUri: src", "CodeUri: a container image has none"),
        ("ImageUri: [x]", "ImageUri must be a str"),
        ("ImageUri: x\n      ImageConfig: {Command: run}", "not Command: 'run'"),
        ("ImageUri: x\n      ImageConfig: {User: root}", "not User: 'root'"),
    ],
)
def test_what_is_wrong_with_an_image_is_said(read: Read, properties: str, message: str) -> None:
    with pytest.raises(TemplateError, match=re.escape(message)):
        read(f"{IMAGE}      {properties}\n    Metadata: {{Dockerfile: Dockerfile, DockerContext: .}}\n")


def test_given_parameters_win_over_defaults(one: Callable[..., DesiredFunction]) -> None:
    function = one(
        "MemorySize: !Ref Size\nDescription: !Sub '${Stage}${Flag}${Open}'\n",
        before=PARAMETERS,
        Stage="prod",
        Size="512",
        Flag="false",
        Open="!",
        Unknown="is ignored",
    )
    assert (function.configuration.memory_size, function.configuration.description) == (512, "prodfalse!")


@pytest.mark.parametrize(
    "value",
    [
        "!Ref Stage",
        "${Stage}",
        "a\nMemorySize: 10240\n",
        "$(touch canary) `touch canary`; touch canary",
        "{Ref: Stage}",
    ],
)
def test_a_parameter_stays_text_whatever_it_says(
    one: Callable[..., DesiredFunction], value: str, tmp_path: Path
) -> None:
    function = one(
        "Description: !Ref Open\nEnvironment: {Variables: {X: !Sub '<${Open}>'}}\n", before=PARAMETERS, Open=value
    )
    assert function.configuration.description == value
    assert function.configuration.environment == {"X": f"<{value}>"}
    assert function.configuration.memory_size == 128
    assert not list(tmp_path.rglob("canary"))


@pytest.mark.parametrize(
    ("before", "message"),
    [
        (
            PARAMETERS.replace("Default: dev", "Default: test"),
            "parameter Stage must be one of ['dev', 'prod'], not test",
        ),
        ("Parameters: {A: {Type: String, Default: [a]}}\n", "Parameters.A.Default must be text"),
        ("Parameters: {A: {Type: String, Default: }}\n", "Parameters.A.Default must be text"),
        ("Parameters: {A: {Type: String, AllowedValues: abc}}\n", "Parameters.A.AllowedValues must be a list"),
        ("Parameters: {A: {Type: String, AllowedValues: 5}}\n", "Parameters.A.AllowedValues must be a list"),
        ("Parameters: {A: {Type: String, AllowedValues: [{b: c}]}}\n", "Parameters.A.AllowedValues must be text"),
        ("Parameters: {A: String}\n", "Parameters.A must be a mapping, not str"),
        ("Parameters: [A]\n", "Parameters must be a mapping, not list"),
        ("Globals: 5\n", "Globals must be a mapping, not int"),
        ("Globals: {Function: }\n", "Globals.Function must be a mapping, not NoneType"),
    ],
)
def test_bad_parameters_and_globals_are_refused(
    refused: Callable[..., tuple[int | None, str]], before: str, message: str
) -> None:
    line, said = refused(before=before)
    assert said == message
    assert line in (1, 2)


# -- what is refused, with its line
@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ("Description: !Ref Nobody", "nothing is called 'Nobody'"),
        ("AutoPublishAlias: '5'", "Hello.Properties.AutoPublishAlias: '5' is no alias name"),
        ("Description: !Ref [a]", "nothing is called '['a']'"),
        ("Description: !Ref {a: b}", "nothing is called '{'a': 'b'}'"),
        ("Description: !Ref 5", "nothing is called '5'"),
        ("Description: !Sub '${Nobody}'", "nothing is called 'Nobody'"),
        ("Description: !Sub '${Nobody.Arn}'", "!GetAtt Nobody.Arn cannot be resolved yet"),
        ("Description: !Sub '${}'", "nothing is called ''"),
        ("Description: !Sub {a: b}", "!Sub needs text"),
        ("Description: !Sub [a, b]", "!Sub needs text"),
        ("Description: !Sub ['${A}', {A: [b]}]", "must be text"),
        ("Description: !GetAtt Hello.Name", "!GetAtt Hello.Name cannot be resolved yet"),
        ("Description: !GetAtt Hello", "!GetAtt Hello cannot be resolved yet"),
        ("Description: !GetAtt [{a: b}, Arn]", "cannot be resolved yet"),
        ("Description: !GetAtt [[a], Arn]", "cannot be resolved yet"),
        ("Description: !GetAtt []", "cannot be resolved yet"),
        ("Description: !GetAtt {a: b}", "cannot be resolved yet"),
        ("Description: !Join [',', !Ref AWS::Region]", "!Join needs a list, not str"),
        ("Description: !Join [[','], [a]]", "!Join needs a delimiter and a list"),
        ("Description: !Join [a]", "!Join needs a delimiter and a list"),
        ("Description: !Join x", "!Join needs a delimiter and a list"),
        ("Description: !Join ['', [{a: b}]]", "must be text"),
        ("Description: !If [A, b, c]", "Fn::If is not supported yet"),
        ("Description: !ImportValue x", "Fn::ImportValue is not supported yet"),
        ("Description: [a]", "Hello.Properties.Description must be a str"),
        ("Handler: 5", "Hello.Properties.Handler must be a str, not 5"),
        ("Timeout: 0", "Timeout must be a whole number from 1 to 900, not 0"),
        ("Timeout: 901", "Timeout must be a whole number from 1 to 900, not 901"),
        ("Timeout: 1.5", "Timeout must be a whole number from 1 to 900, not 1.5"),
        ("Timeout: true", "Timeout must be a whole number from 1 to 900, not True"),
        ("Timeout: '²'", "Timeout must be a whole number from 1 to 900, not '²'"),
        ("Timeout: '٣'", "Timeout must be a whole number from 1 to 900, not '٣'"),
        pytest.param(f"Timeout: '{'9' * 5000}'", "must be a whole number from 1 to 900", id="five thousand digits"),
        ("MemorySize: 127", "MemorySize must be a whole number from 128 to 10240, not 127"),
        ("MemorySize: lots", "MemorySize must be a whole number from 128 to 10240, not 'lots'"),
        ("EphemeralStorage: {Size: 10241}", "EphemeralStorage.Size must be a whole number from 512 to 10240"),
        ("EphemeralStorage: 512", "EphemeralStorage must be a mapping, not int"),
        ("Architectures: arm64", "Architectures must be [x86_64] or [arm64], not 'arm64'"),
        ("Architectures: [x86_64, arm64]", "Architectures must be [x86_64] or [arm64]"),
        ("Architectures: [riscv]", "Architectures must be [x86_64] or [arm64]"),
        ("Architectures: []", "Architectures must be [x86_64] or [arm64]"),
        ("Environment: [A]", "Environment must be a mapping, not list"),
        ("Environment:", "Environment must be a mapping, not NoneType"),
        ("Environment: {Variables: text}", "Environment.Variables must be a mapping, not str"),
        ("Environment: {Variables: {A: [b]}}", "Environment.Variables.A must be text"),
        ("Environment: {Variables: {A: }}", "Environment.Variables.A must be text"),
        ("Tags: [a]", "Tags must be a mapping, not list"),
        ("Tags: {a: {b: c}}", "Tags.a must be text"),
        ("FileSystemConfigs: {}", "FileSystemConfigs must be a list of at most one file system"),
        ("FileSystemConfigs: [{Arn: a}]", "FileSystemConfigs takes Arn and LocalMountPath"),
        ("FileSystemConfigs: [{Arn: a, LocalMountPath: /mnt/x}]", "has the Arn 'a', which is that of no access point"),
        (
            f"FileSystemConfigs: [{{Arn: '{ACCESS_POINT}', LocalMountPath: /mnt/..}}]",
            "has the LocalMountPath '/mnt/..', which is no /mnt/NAME",
        ),
        ("PackageType: Jar", "PackageType must be Zip or Image, not 'Jar'"),
        ("PackageType: Image", "Handler: a container image has none"),
        ("FunctionName: ../../etc", "'../../etc' is no function name"),
        ("FunctionName: a/b", "'a/b' is no function name"),
        (f"FunctionName: {'n' * 65}", "is no function name"),
        ("FunctionName: ''", "'' is no function name"),
        ('FunctionName: "a\\0b"', "is no function name"),
        ("FunctionName: ünï", "is no function name"),
        ("FunctionName: [a]", "must be a str"),
    ],
)
def test_what_cannot_be_resolved_is_refused_with_its_line(
    refused: Callable[..., tuple[int | None, str]], properties: str, message: str
) -> None:
    line, said = refused(properties)
    assert message in said
    assert line in (4, 7, 8)  # of the properties, or of the one


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("{}", 1, "the template has no Resources"),
        ("Resources: {}", 1, "the template has no Resources"),
        ("Resources:", 1, "Resources must be a mapping, not NoneType"),
        ("- a", None, "the template must be a mapping, not list"),
        ("", None, "the template must be a mapping, not NoneType"),
        ("Resources: {T: {Type: Other}}", 1, "the template has no AWS::Serverless::Function"),
        ("\nResources:\n  F: 5\n", 2, "Resources.F must be a mapping, not int"),
        (
            "Resources:\n  F: {Type: AWS::Serverless::Function, Properties: 5}",
            2,
            "F.Properties must be a mapping, not int",
        ),
        (
            "Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: {Runtime: x, CodeUri: src}",
            4,
            "F.Properties has no Handler, and Globals.Function has none",
        ),
        (
            "Resources:\n F:\n  Type: AWS::Serverless::Function\n  Properties: {Handler: 5, Runtime: x, CodeUri: .}",
            4,
            "F.Properties.Handler must be a str, not 5",
        ),
        (
            HEAD + HEAD.removeprefix("Resources:\n").replace("Hello", "Other") + "      FunctionName: Hello\n",
            8,
            "two functions are named 'Hello'",
        ),
    ],
)
def test_templates_without_functions_or_with_broken_ones_are_refused(
    read: Read, project: Path, text: str, line: int | None, message: str
) -> None:
    with pytest.raises(TemplateError) as caught:
        read(text)
    where = f"{project / 'template.yaml'}" + (f":{line}" if line else "")
    assert (caught.value.where, caught.value.message) == (where, f"{where}: {message}")


# -- code
@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("../../../etc", "../../../etc is outside the template's folder"),
        ("..", ".. is outside the template's folder"),
        ("../project-other", "../project-other is outside the template's folder"),
        ("/etc", "/etc is outside the template's folder"),
        ("src/../../..", "is outside the template's folder"),
        ("link", "link is outside the template's folder"),
        ("link/deep", "link/deep is outside the template's folder"),
        ("hop", "hop is outside the template's folder"),
        ("nowhere", "there is no folder nowhere"),
        ("template.yaml", "there is no folder template.yaml"),
        ("circle", "'circle' cannot be a folder"),
        ('"a\\0b"', "cannot be a folder"),
        ("n" * 5000, "cannot be a folder"),
        ("s3://bucket/key", "code comes from a folder beside the template, not 's3://bucket/key'"),
        ("{Bucket: b, Key: k}", "code comes from a folder beside the template, not {'Bucket': 'b', 'Key': 'k'}"),
        ("[src]", "code comes from a folder beside the template, not ['src']"),
        ("!Ref AWS::Region", "there is no folder eu-central-1"),
    ],
    ids=lambda text: text[:30],
)
def test_code_comes_from_beneath_the_template_only(
    refused: Callable[..., tuple[int | None, str]], project: Path, tmp_path: Path, uri: str, message: str
) -> None:
    (tmp_path / "project-other" / "deep").mkdir(parents=True)
    (project / "link").symlink_to(tmp_path / "project-other")
    (project / "hop").symlink_to("link")
    (project / "circle").symlink_to("circle")
    line, said = refused(f"CodeUri: {uri}")
    assert message in said
    assert line == 4


def test_a_link_within_the_project_is_fine(one: Callable[..., DesiredFunction], project: Path) -> None:
    (project / "src").rename(project / "real")
    (project / "src").symlink_to("real")
    assert one().folder == project / "real"


# -- circles and growth
def names(**functions: str) -> str:
    """A template of functions with these names."""
    parts = [
        HEAD.removeprefix("Resources:\n").replace("Hello", logical_id) + f"      FunctionName: {name}\n"
        for logical_id, name in functions.items()
    ]
    return "Resources:\n" + "".join(parts)


@pytest.mark.parametrize(
    "functions",
    [
        {"A": "!Ref A"},
        {"A": "!Sub '${A}'"},
        {"A": "!Ref B", "B": "!Ref A"},
        {"A": "!Sub 'x${B.Arn}'", "B": "!Join ['', [!Ref C]]", "C": "!GetAtt A.Arn"},
        {f"F{n}": f"!Ref F{(n + 1) % 200}" for n in range(200)},
    ],
    ids=["itself", "itself in text", "two", "three", "two hundred"],
)
def test_names_that_refer_in_a_circle_are_refused(read: Read, functions: dict[str, str]) -> None:
    with pytest.raises(TemplateError, match="refers to itself"):
        read(names(**functions))


def test_a_circle_of_references_that_are_no_names_is_none(read: Read) -> None:
    text = HEAD + "      Environment: {Variables: {OTHER: !Ref Other}}\n"
    text += HEAD.removeprefix("Resources:\n").replace("Hello", "Other")
    text += "      Environment: {Variables: {OTHER: !GetAtt Hello.Arn}}\n"
    assert [function.configuration.environment for function in read(text)] == [
        {"OTHER": "Other"},
        {"OTHER": "arn:aws:lambda:eu-central-1:123456789012:function:Hello"},
    ]


def test_names_that_double_and_double_are_refused_in_good_time(read: Read) -> None:
    chain = {f"F{n}": f"!Sub '${{F{n + 1}}}${{F{n + 1}}}'" for n in range(60)} | {"F60": "x"}
    started = time.monotonic()
    with pytest.raises(TemplateError, match=r"references grow to more than|is no function name"):
        read(names(**chain))
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "expression",
    [
        "!Sub '" + "${P}" * 100_000 + "'",
        "!Join ['', [" + "!Ref P, " * 50_000 + "]]",
        "!Sub ['" + "${V}" * 100_000 + "', {V: !Ref P}]",
    ],
    ids=["sub", "join", "own"],
)
def test_a_small_template_that_grows_large_is_refused(
    refused: Callable[..., tuple[int | None, str]], expression: str
) -> None:
    before = f"Parameters: {{P: {{Type: String, Default: {'x' * 10_000}}}}}\n"
    assert "references grow to more than" in refused(f"Description: {expression}\n", before=before)[1]


def test_deep_expressions_are_refused_before_they_recur(refused: Callable[..., tuple[int | None, str]]) -> None:
    assert "nested deeper than" in refused("Description: " + "{a: " * 2000 + "}" * 2000 + "\n")[1]


def test_the_samples_are_read() -> None:
    from importlib import resources

    template = Path(str(resources.files("workbench_samples"))) / "template.yaml"
    assert read_template(template, {}, ACCOUNT)


def test_a_json_template_is_read_like_any_other(project: Path) -> None:
    import json

    resource: dict[str, Any] = {
        "Type": "AWS::Serverless::Function",
        "Properties": {
            "Handler": "a.b",
            "Runtime": "python3.12",
            "CodeUri": "src",
            "Description": {"Fn::Sub": "\U0001f600${AWS::Region}"},
        },
    }
    path = project / "template.json"
    path.write_text(json.dumps({"Resources": {"F": resource}}, indent=2))
    assert read_template(path, {}, ACCOUNT)[0].configuration.description == "\U0001f600eu-central-1"


def test_what_is_wrong_with_one_function_does_not_stop_another(project: Path) -> None:
    path = project / "template.yaml"
    path.write_text(
        HEAD
        + "  Broken:\n    Type: AWS::Serverless::Function\n    Properties: {FunctionName: broken, CodeUri: nowhere}\n"
    )
    assert function_names(path, {}, ACCOUNT) == ["Hello", "broken"]
    assert [function.name for function in read_template(path, {}, ACCOUNT, only="Hello")] == ["Hello"]
    assert read_template(path, {}, ACCOUNT, only="nosuch") == []
    for only in (None, "broken"):
        with pytest.raises(TemplateError, match=r"template\.yaml:\d+: Broken\.Properties"):
            read_template(path, {}, ACCOUNT, only=only)
