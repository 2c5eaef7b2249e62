"""The states of an environment: one glyph each, and a closed table of what may follow what."""

from __future__ import annotations

from workbench.model.environments import TRANSITIONS, EnvironmentState

STATES = set(EnvironmentState)


def test_every_state_has_its_transitions_and_they_lead_to_states() -> None:
    assert set(TRANSITIONS) == STATES
    assert set().union(*TRANSITIONS.values()) <= STATES


def test_nothing_follows_an_end_and_every_state_can_end() -> None:
    for state in STATES:
        assert (not TRANSITIONS[state]) == state.final
        reached, seen = {state}, set()
        while reached:
            seen |= reached
            reached = set().union(*(TRANSITIONS[one] for one in reached)) - seen
        assert EnvironmentState.STOPPED in seen or state is EnvironmentState.FAILED
        assert EnvironmentState.FAILED in seen or state is EnvironmentState.STOPPED


def test_every_state_can_be_reached_and_fail() -> None:
    assert set().union(*TRANSITIONS.values()) == STATES - {EnvironmentState.CREATING}
    for state in STATES:
        assert state.final or EnvironmentState.FAILED in TRANSITIONS[state]


def test_only_what_can_take_an_invocation_is_placeable() -> None:
    assert {state for state in STATES if state.placeable} == {EnvironmentState.IDLE, EnvironmentState.FROZEN}
    for state in STATES:
        assert not state.placeable or EnvironmentState.BUSY in TRANSITIONS[state]


def test_an_invocation_ends_before_the_next_state_but_an_end() -> None:
    assert EnvironmentState.FROZEN not in TRANSITIONS[EnvironmentState.BUSY]
    assert EnvironmentState.CREATING not in set().union(*TRANSITIONS.values())


def test_every_state_has_a_glyph_of_its_own_one_character_wide() -> None:
    glyphs = [state.glyph for state in EnvironmentState]
    assert len(set(glyphs)) == len(STATES)
    assert all(len(glyph) == 1 and glyph.isprintable() for glyph in glyphs)
