"""The question of what-if, as it is typed."""

from __future__ import annotations

import pytest

from workbench.model.errors import UsageError
from workbench.model.forecast import WhatIf


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        (["provisioned=5"], WhatIf(provisioned=5)),
        (["provisioned=0"], WhatIf(provisioned=0)),
        (["reserved=10", "provisioned=2"], WhatIf(provisioned=2, reserved=10)),
    ],
)
def test_it_is_read(given: list[str], asked: WhatIf) -> None:
    assert WhatIf.parse(given) == asked


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "^--what-if takes provisioned=N and reserved=N$"),
        (["5"], "^5: --what-if takes provisioned=N and reserved=N$"),
        (["provisioned"], "^provisioned: provisioned takes a number, 0 or more, not ''$"),
        (["provisioned=-1"], "takes a number, 0 or more, not '-1'"),
        (["reserved=½"], "takes a number"),
        (["reserved=1", "reserved=2"], "^reserved=2: reserved is given twice$"),
        (["memory=512"], "^memory=512: how long a function takes with other memory is in no record"),
    ],
)
def test_what_is_no_question_is_refused(given: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        WhatIf.parse(given)
