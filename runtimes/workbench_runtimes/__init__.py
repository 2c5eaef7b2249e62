"""What Lambda calls runtimes: the catalogue that Workbench ships, and the programs that run inside environments.

python/ starts AWS's own runtime interface client; nodejs/ is a client of Workbench's own; `provided` needs none.

Each file in catalogue/ is read through importlib.resources and holds one `[[runtime]]` table per runtime identifier,
newest first:

    id             the identifier, as in a function's Runtime
    os             al2023, al2 or al1: the Amazon Linux that AWS runs it on
    status         supported, preview, deprecated (the dates say what is still allowed) or blocked (nothing is)
    deprecation    from this day AWS neither patches nor supports it
    block_create   from this day no function can be created with it
    block_update   from this day a function that has it can no longer be updated
    interpreter    what runs it on this machine: the command to look for, and the version that it must have
    client         the package with its Runtime API client (AWS's own for Python needs Python 3.10)

AWS postpones the dates often, which is why they are data; one that is not known is left out. Functions that exist can
be invoked whatever the date.

The entry point in group `workbench.runtimes` names this package. Another distribution adds runtimes by naming a package
of its own there; docs/plugins.md says how, and which keys theirs need.
"""
