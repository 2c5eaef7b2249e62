"""Layers of templates: read, published when they changed, and named by the functions that refer to them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.engine.world import World, archive, world
from workbench.app.templates import bring_function
from workbench.app.templates import deploy as deploy_project
from workbench.client.project import Project, find_project
from workbench.model.errors import TemplateError, WorkbenchError
from workbench.model.names import FunctionRef

ARN = "arn:aws:lambda:us-east-1:000000000000:layer:"
FUNCTION = """
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.handler
      Runtime: python3.12
      CodeUri: f
"""
LAYER = """
  Words:
    Type: AWS::Serverless::LayerVersion
    Properties: {LayerName: words, Description: d, ContentUri: words, CompatibleRuntimes: [python3.12]}
"""
Write = Callable[[str], Path]


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path / "state") as opened:
        yield opened


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    root = tmp_path / "project"
    for folder, file in (("f", "app.py"), ("words", "python/words.py")):
        (root / folder / file).parent.mkdir(parents=True)
        (root / folder / file).write_text("1")
    monkeypatch.setenv("WORKBENCH_PROJECT", str(root))
    for name in [name for name in os.environ if name.startswith("WORKBENCH_") and name != "WORKBENCH_PROJECT"]:
        monkeypatch.delenv(name)
    return find_project()


@pytest.fixture
def template(project: Project) -> Write:
    def write(text: str) -> Path:
        path = project.root / "template.yaml"
        path.write_text(text)
        return path

    return write


async def layers_of(made: World, name: str = "F") -> tuple[str, ...]:
    return (await made.engine.get_function(FunctionRef(name))).configuration.layers


async def test_a_layer_is_published_when_it_has_changed_and_the_function_follows(
    made: World, project: Project, template: Write
) -> None:
    path = template(FUNCTION + "      Layers: [!Ref Words]\n" + LAYER)
    first = await deploy_project(made.engine, project, path)
    assert first == ["published version 1 of layer words", "created F"]
    assert await deploy_project(made.engine, project, path) == []
    assert await layers_of(made) == (f"{ARN}words:1",)

    (project.root / "words" / "python" / "words.py").write_text("2")
    assert await deploy_project(made.engine, project, path) == [
        "published version 2 of layer words",
        "updated the configuration of F",
    ]
    assert await layers_of(made) == (f"{ARN}words:2",)

    template(path.read_text().replace("Description: d", "Description: e"))
    assert (await deploy_project(made.engine, project, path))[0] == "published version 3 of layer words"


async def test_every_property_arrives(made: World, project: Project, template: Write) -> None:
    (project.root / "w.zip").write_bytes(archive({"a": "1"}))
    path = template(
        FUNCTION
        + """
  W:
    Type: AWS::Lambda::LayerVersion
    Properties:
      Content: w.zip
      Description: d
      LicenseInfo: MIT
      CompatibleRuntimes: [python3.12, nodejs22.x]
      CompatibleArchitectures: [arm64]
"""
    )
    await deploy_project(made.engine, project, path)
    (version,) = await made.engine.list_layer_versions("W")
    assert (version.description, version.license_info) == ("d", "MIT")
    assert (version.runtimes, version.architectures) == (("python3.12", "nodejs22.x"), ("arm64",))
    assert await made.engine.code(version.code.sha256) == archive({"a": "1"})


async def test_references_are_filled_wherever_they_stand(made: World, project: Project, template: Write) -> None:
    text = f"""
      Description: !Sub "uses ${{Words}}"
      Environment: {{Variables: {{LAYER: !Join ["=", ["is", !Ref Plain]]}}}}
      Layers: [!Ref Words, !GetAtt Plain.LayerVersionArn, "{ARN}there:1"]
{LAYER}
  Plain:
    Type: AWS::Lambda::LayerVersion
    Properties: {{Content: f}}
"""
    from workbench.model.layers import NewLayerVersion

    await made.engine.publish_layer_version(NewLayerVersion(name="there", code=archive({"a": "1"})))
    await deploy_project(made.engine, project, template(FUNCTION + text))
    configuration = (await made.engine.get_function(FunctionRef("F"))).configuration
    assert configuration.layers == (f"{ARN}words:1", f"{ARN}Plain:1", f"{ARN}there:1")
    assert configuration.environment == {"LAYER": f"is={ARN}Plain:1"}
    assert configuration.description == f"uses {ARN}words:1"


async def test_globals_bring_layers_too(made: World, project: Project, template: Write) -> None:
    path = template("Globals: {Function: {Layers: [!Ref Words]}}\n" + FUNCTION + LAYER)
    await deploy_project(made.engine, project, path)
    assert await layers_of(made) == (f"{ARN}words:1",)


async def test_one_function_brings_only_its_own_layers(made: World, project: Project, template: Write) -> None:
    path = template(
        FUNCTION
        + "      Layers: [!Ref Words]\n"
        + LAYER
        + "  Broken:\n    Type: AWS::Serverless::LayerVersion\n    Properties: {ContentUri: nosuch}\n"
    )
    done = await bring_function(made.engine, project, path, "F")
    assert done == ["published version 1 of layer words", "created F"]
    with pytest.raises(
        TemplateError, match=r"template\.yaml:16: Broken\.Properties\.ContentUri: there is no folder or"
    ):
        await deploy_project(made.engine, project, path)


@pytest.mark.parametrize(
    ("layers", "properties", "said"),
    [
        ("[!Ref Words]", "ContentUri: ../f", "ContentUri: ../f is outside the template's folder"),
        ("[!Ref Words]", "ContentUri: s3://b/k", "ContentUri: code comes from a folder or zip archive beside"),
        ("[!Ref Words]", "ContentUri: {Bucket: b, Key: k}", "ContentUri: code comes from a folder or zip archive"),
        ("[!Ref Words]", "Description: d", "Words.Properties has no ContentUri"),
        ("[!Ref Words]", "ContentUri: words, LayerName: a/b", "LayerName: 'a/b' is no layer name"),
        ("[!Ref Words]", "ContentUri: words, CompatibleRuntimes: python3.12", "CompatibleRuntimes must be a list"),
        ("[!Ref Words]", "ContentUri: words, Description: [d]", "Description must be text"),
        ("!Ref Words", "ContentUri: words", "F.Properties.Layers must be a list of the ARNs of layer versions"),
        ("[{a: b}]", "ContentUri: words", "F.Properties.Layers must be a list of the ARNs of layer versions"),
        ("[!Ref Nosuch]", "ContentUri: words", "nothing is called 'Nosuch'"),
        ("[!GetAtt Words.Arn]", "ContentUri: words", "which cannot be referred to yet"),
        (
            '["arn:aws:lambda:us-east-1:017000801446:layer:Powertools:5"]',
            "ContentUri: words",
            "publish its archive with 'workbench layers publish Powertools ARCHIVE.zip'",
        ),
    ],
)
async def test_what_is_wrong_is_said_with_its_line(
    made: World, project: Project, template: Write, layers: str, properties: str, said: str
) -> None:
    path = template(
        FUNCTION
        + f"      Layers: {layers}\n  Words:\n    Type: AWS::Serverless::LayerVersion\n"
        + f"    Properties: {{{properties}}}\n"
    )
    with pytest.raises(TemplateError) as refused:
        await deploy_project(made.engine, project, path)
    assert said in str(refused.value)
    assert "template.yaml:" in str(refused.value)
    assert await made.engine.list_layer_versions(None) == ()


async def test_what_is_not_acted_on_is_said_once(made: World, project: Project, template: Write) -> None:
    path = template(
        FUNCTION
        + """
  Words:
    Type: AWS::Serverless::LayerVersion
    Metadata: {BuildMethod: python3.12}
    Properties: {ContentUri: words, RetentionPolicy: Delete, PublishLambdaVersion: true}
"""
    )
    assert await deploy_project(made.engine, project, path) == [
        "published version 1 of layer Words",
        "Words: PublishLambdaVersion is not acted on",
        "Words: RetentionPolicy is not acted on: earlier versions stay",
        "Words: BuildMethod is not acted on: its ContentUri is taken as it is",
        "created F",
    ]


async def test_a_refused_archive_names_its_layer(made: World, project: Project, template: Write) -> None:
    (project.root / "w.zip").write_bytes(b"no zip")
    path = template(FUNCTION + "  W:\n    Type: AWS::Lambda::LayerVersion\n    Properties: {Content: w.zip}\n")
    with pytest.raises(WorkbenchError, match="layer W: Could not unzip uploaded file"):
        await deploy_project(made.engine, project, path)
