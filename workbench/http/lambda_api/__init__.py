"""The AWS Lambda API, as AWS answers it: routed, read, checked and shaped by botocore's service model.

`api` is the way in; a resource is a module of operations; to add an operation, add one function to its module.
"""
