"""What the delta sensor remembers of a guard between two ticks."""

from hypothesis import example, given
from hypothesis import strategies as st

from aiguard_dagster.orchestration.progress import Note, Progress

WORDS = st.text("0123456789abcdef-", min_size=1, max_size=20)
COUNTS = st.integers(0, 10**12)
PROGRESS = st.builds(
    Progress, frame=WORDS.filter(lambda word: ":" not in word), newest=COUNTS, batches=COUNTS
)


@given(st.builds(Note, WORDS, st.just("") | WORDS, PROGRESS))
def test_a_note_comes_back_from_its_text(note):
    assert Note.parse(str(note)) == note


@given(st.text(max_size=30))
@example("v1 abc")  # as an older version of this package has left it
@example("v1 abc def:1")
@example("v1 abc def:²:1")
def test_what_is_no_note_is_no_progress(text):
    assert Note.parse(text).progress.newest == 0 or str(Note.parse(text)) == text
