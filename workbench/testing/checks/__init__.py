"""The checks of the conformance kit, by what they are about. Importing a module here registers its checks."""
