"""The other services of AWS that Lambda itself asks: S3 for code, EC2 for the VPC of a subnet.

They are asked at the endpoint that workbench.toml (`services`) or the environment names (AWS_ENDPOINT_URL_S3,
AWS_ENDPOINT_URL); real AWS never, unless it is named so. botocore is loaded when the first question is asked.
Source: Lambda API reference, FunctionCode; AWS SDKs and Tools Reference Guide, "Service-specific endpoints".
"""

from __future__ import annotations

import asyncio
import os
from typing import Any, Protocol

from workbench.model.errors import InvalidParameterValue

#: A zip that unpacks to what Lambda takes is hardly larger than that.
_OBJECT_BYTES = 262_144_000 + (1 << 24)
_TIMEOUT_SECONDS = 10


class Services(Protocol):
    """What operations ask of other services."""

    async def get_object(self, bucket: str, key: str, version: str | None) -> bytes:
        """An object of S3.

        Raises:
            InvalidParameterValue: there is none, in AWS's words, or no services' endpoint is configured.
        """

    async def vpc_of(self, subnets: list[str], groups: list[str]) -> str | None:
        """The VPC that the subnets belong to; None if nobody knows.

        Raises:
            InvalidParameterValue: EC2 does not know a subnet or a security group.
        """


class NoServices:
    """Where no endpoint is configured."""

    async def get_object(self, bucket: str, key: str, version: str | None) -> bytes:
        raise InvalidParameterValue(
            f"The code s3://{bucket}/{key} cannot be fetched: no endpoint of S3 is configured. "
            "Set services in workbench.toml, or AWS_ENDPOINT_URL, for the engine; or send the archive as ZipFile."
        )

    async def vpc_of(self, subnets: list[str], groups: list[str]) -> str | None:
        return None


class ServicesAt:
    """Services at their endpoints."""

    def __init__(self, endpoint: str | None, region: str) -> None:
        self._endpoint = endpoint
        self._region = region
        self._clients: dict[str, Any] = {}

    async def get_object(self, bucket: str, key: str, version: str | None) -> bytes:
        if self._url("s3") is None:
            return await NoServices().get_object(bucket, key, version)
        return await asyncio.to_thread(self._get_object, bucket, key, version)

    async def vpc_of(self, subnets: list[str], groups: list[str]) -> str | None:
        if self._url("ec2") is None or not subnets:
            return None
        return await asyncio.to_thread(self._vpc_of, subnets, groups)

    def _get_object(self, bucket: str, key: str, version: str | None) -> bytes:
        from botocore.exceptions import BotoCoreError, ClientError

        wanted = {"Bucket": bucket, "Key": key, **({"VersionId": version} if version else {})}
        try:
            answer = self._client("s3").get_object(**wanted)
            with answer["Body"] as body:
                archive: bytes = body.read(_OBJECT_BYTES + 1)
        except ClientError as error:
            told = error.response.get("Error", {})
            raise InvalidParameterValue(
                f"Error occurred while GetObject. S3 Error Code: {told.get('Code')}. "
                f"S3 Error Message: {told.get('Message')}"
            ) from error
        except (BotoCoreError, OSError, ValueError) as error:  # of an endpoint that is no URL, the last
            raise InvalidParameterValue(f"The code s3://{bucket}/{key} cannot be fetched: {error}") from error
        if len(archive) > _OBJECT_BYTES:
            raise InvalidParameterValue("Unzipped size must be smaller than 262144000 bytes")
        return archive

    def _vpc_of(self, subnets: list[str], groups: list[str]) -> str | None:
        found = self._describe("Subnets", SubnetIds=subnets)
        if found and groups:
            self._describe("SecurityGroups", GroupIds=groups)
        return str(found[0]["VpcId"]) if found else None

    def _describe(self, what: str, **wanted: list[str]) -> list[Any]:
        """What EC2 says of them; nothing if it is not there, since the services need not play it."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            client = self._client("ec2")
            call = client.describe_subnets if what == "Subnets" else client.describe_security_groups
            found: list[Any] = call(**wanted)[what]
        except BotoCoreError:
            return []
        except ValueError as error:
            raise InvalidParameterValue(f"EC2 cannot be asked: {error}") from error
        except ClientError as error:
            told = error.response.get("Error", {})
            code = str(told.get("Code"))
            if not code.startswith(("InvalidSubnet", "InvalidGroup", "InvalidSecurityGroup")):
                return []
            raise InvalidParameterValue(
                f"Error occurred while Describe{what}. EC2 Error Code: {code}. EC2 Error Message: {told.get('Message')}"
            ) from error
        return found

    def _url(self, service: str) -> str | None:
        own = os.environ.get(f"AWS_ENDPOINT_URL_{service.upper()}")
        return own or self._endpoint or os.environ.get("AWS_ENDPOINT_URL") or None

    def _client(self, service: str) -> Any:
        from botocore.config import Config
        from botocore.session import Session

        client = self._clients.get(service)
        if client is None:
            session = Session()
            keys: dict[str, Any] = {}
            if session.get_credentials() is None:
                keys = {"aws_access_key_id": "workbench", "aws_secret_access_key": "workbench"}
            client = self._clients[service] = session.create_client(
                service,
                region_name=self._region,
                endpoint_url=self._url(service),
                config=Config(
                    connect_timeout=_TIMEOUT_SECONDS,
                    read_timeout=_TIMEOUT_SECONDS,
                    retries={"total_max_attempts": 2},
                    s3={"addressing_style": "path"},
                ),
                **keys,
            )
        return client

    def close(self) -> None:
        """Let go of connections."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()
