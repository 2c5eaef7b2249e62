"""The catalogue against AWS's own model, and against itself."""

import datetime
from importlib import resources
from itertools import pairwise

import botocore.session
import pytest
import tomli

from workbench.engine.catalogue import Catalogue

RUNTIMES = [
    runtime
    for file in resources.files("workbench_runtimes").joinpath("catalogue").iterdir()
    for runtime in tomli.loads(file.read_text(encoding="utf-8"))["runtime"]
]


def test_it_lists_what_the_aws_model_lists_and_nothing_twice():
    model = botocore.session.get_session().get_service_model("lambda")
    ids = [runtime["id"] for runtime in RUNTIMES]
    assert sorted(ids) == sorted(model.shape_for("Runtime").enum), "a newer botocore? then the catalogue needs its ids"


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime["id"])
def test_an_entry_is_well_formed(runtime):
    assert runtime["status"] in {"supported", "preview", "deprecated", "blocked"}
    assert runtime["os"] in {"al2023", "al2", "al1", "custom"}
    assert runtime.keys() <= {
        "id", "os", "status", "deprecation", "block_create", "block_update", "interpreter", "client",
    }  # fmt: skip

    dates = [runtime[key] for key in ("deprecation", "block_create", "block_update") if key in runtime]
    assert all(type(date) is datetime.date for date in dates)
    assert all(earlier < later for earlier, later in pairwise(dates))
    assert ("deprecation" in runtime) or runtime["status"] != "deprecated"


@pytest.mark.parametrize(
    "runtime", [runtime for runtime in RUNTIMES if "interpreter" in runtime], ids=lambda runtime: runtime["id"]
)
def test_an_interpreter_is_the_one_that_the_identifier_names(runtime):
    if runtime["id"].startswith("nodejs"):
        expected = {"command": "node", "version": runtime["id"].removeprefix("nodejs").removesuffix(".x")}
    else:
        expected = {"command": runtime["id"], "version": runtime["id"].removeprefix("python")}
    assert runtime["interpreter"] == expected


def test_what_is_blocked_follows_from_the_date(tmp_path):
    """python3.11: from 31 July 2027 no function may be given it, from 31 August none that has it be updated."""
    catalogue = Catalogue("us-east-1", tmp_path)
    (entry,) = [runtime for runtime in RUNTIMES if runtime["id"] == "python3.11"]
    for update, since in ((False, entry["block_create"]), (True, entry["block_update"])):
        day = datetime.timedelta(days=1)
        assert [catalogue.blocked("python3.11", at, update=update) for at in (since - day, since)] == [False, True]
    assert catalogue.deprecation("python3.11") == entry["deprecation"]
    assert catalogue.deprecated("python3.11", entry["deprecation"] - day) is None
    assert catalogue.deprecated("python3.11", entry["deprecation"]) == (
        "python3.11 is deprecated since 2027-06-30; no function is given it from 2027-07-31 on; "
        "no function is updated with it from 2027-08-31 on"
    )
    assert catalogue.blocked("python2.7", datetime.date(2000, 1, 1), update=True)
