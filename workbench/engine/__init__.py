"""The engine decides: what is routed, admitted and placed where, and how an environment lives."""
