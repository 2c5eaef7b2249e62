"""What is served over HTTP: the Runtime API, the AWS endpoint, and Workbench's own control and live stream."""
