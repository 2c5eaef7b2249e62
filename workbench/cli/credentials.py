"""`workbench credentials`: those with which AWS's clients sign here."""

from __future__ import annotations

import json
import shlex
from typing import Annotated

import typer

from workbench.cli.output import echo


def credentials(
    export: Annotated[bool, typer.Option("--export", help='As lines for a shell: eval "$(...)".')] = False,
) -> None:
    """Print the credentials that the Lambda API takes, as a `credential_process` of AWS's configuration does."""
    from workbench.client.credentials import Credentials, read_credentials
    from workbench.client.project import find_project, read_endpoint
    from workbench.model.errors import UsageError

    project = find_project()
    running = read_endpoint(project)
    if running is not None and running.auth != project.auth:
        raise UsageError(
            f'the engine that runs (pid {running.pid}) was started with auth = "{running.auth}", and workbench.toml '
            f'says "{project.auth}" by now',
            mend="workbench stop, and start it again",
        )
    found: Credentials | None = Credentials("workbench", "workbench")  # where any pass
    if project.auth == "strict":
        found = read_credentials(project.state)
    if found is None:
        raise UsageError(
            f"there are no credentials in {project.state} yet", mend="an engine makes them: workbench serve"
        )
    if export:
        for name, value in (
            ("AWS_ACCESS_KEY_ID", found.access_key_id),
            ("AWS_SECRET_ACCESS_KEY", found.secret_access_key),
        ):
            echo(f"export {name}={shlex.quote(value)}")
        return
    # https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
    echo(
        json.dumps(
            {"Version": 1, "AccessKeyId": found.access_key_id, "SecretAccessKey": found.secret_access_key}, indent=2
        )
    )
