"""What is attached to functions, and the account's other resources.

Decisions are pure functions of what there is: `policies`, `urls`, `event_invoke`, `concurrency`, `versions`.
`attached` and `account` make them durable and carry them out.
"""
