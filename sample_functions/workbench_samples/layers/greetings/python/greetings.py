"""A library that comes in a layer: at run time it is /opt/python/greetings.py."""

_WORDS = {"en": "Hello", "cs": "Ahoj", "de": "Hallo", "es": "Hola", "fr": "Bonjour"}


def greet(name: str, language: str = "en") -> str:
    """A greeting in a language that we know, else in English."""
    return f"{_WORDS.get(language, _WORDS['en'])}, {name}!"
