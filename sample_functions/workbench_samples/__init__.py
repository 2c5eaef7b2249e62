"""Small functions to try Workbench on, and the template.yaml that deploys them. README.md says what to look at."""
