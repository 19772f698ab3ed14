"""The fault matrix: what comes of every fault, at every place of an answer, in one piece and as a stream.

The words are those of `tests.faults.outcomes`, "-" means that there is no such thing. "fault@provider" is for one
provider, in place of the line above it. What happens in a stream after its text has begun has the same word as before,
and means that another call goes on with the text, or that the stream ends with an event that says so. "/text" is for
what shows only after the text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from routing.testing.faults import Place
from tests.faults.faults import PROVIDERS, Provider

PLACES: tuple[Place, ...] = ("nothing", "opening", "some", "text", "all")
PLACED = """
                        in one piece                              as a stream
                        nothing   opening some    text    all     nothing   opening some    text    all
reset                   lost      lost    lost    lost    -       lost      lost    lost    lost    fine
cut                     lost      lost    lost    lost    -       lost      lost    lost    lost    fine
stall                   late      late    late    late    -       late      late    late    late    fine
slow                    fine      fine    fine    fine    fine    fine      fine    fine    fine    fine
too_slow                late      late    late    late    -       late      late    late    late    fine
drip                    fine      fine    fine    fine    fine    fine      fine    fine    fine    fine
end                     -         unread  unread  unread  fine    -         lost    lost    lost    fine
endless                 -         unread  -       -       -       -         unread  unread  unread  fine
endless_event           -         unread  -       -       -       -         unread  unread  unread  fine
error_400               bad       -       -       -       -       -         bad     bad     bad     fine
error_400@cohere        bad       -       -       -       -       -         busy    busy    busy    fine
error_429               limited   -       -       -       -       -         limited limited limited fine
error_429@cohere        limited   -       -       -       -       -         busy    busy    busy    fine
error_500               busy      -       -       -       -       -         busy    busy    busy    fine
error_529               busy      -       -       -       -       -         busy    busy    busy    fine
half_json_event         -         -       -       -       -       -         unread  unread  unread  fine
wrong_json_event        -         -       -       -       -       -         unread  unread  unread  fine
bytes_that_are_no_text  -         -       -       -       -       -         unread  unread  unread  fine
unknown_event           -         -       -       -       -       -         fine    fine    fine    fine
comment                 -         -       -       -       -       -         fine    fine    fine    fine
broken_chunk            -         -       -       -       -       -         late    late    late    fine
event_twice             -         -       -       -       -       -         -       twice   fine    -
event_twice@responses   -         -       -       -       -       -         -       fine    fine    -
events_swapped          -         -       -       -       -       -         -       swapped fine    -
events_swapped@responses -        -       -       -       -       -         -       unread  fine    -
"""
PLAIN = """
                        in one piece  as a stream
400                     bad           bad
400_too_long            too_long      too_long
400_filtered            filtered      filtered
401                     no_key        no_key
402                     no_credit     no_credit
403                     no_key        no_key
404                     no_model      no_model
408                     late          late
409                     busy          busy
413                     too_long      too_long
422                     bad           bad
429                     limited       limited
429_in_a_moment         limited       limited
429_in_an_hour          put_off       put_off
429_no_credit           no_credit     no_credit
500                     busy          busy
500_no_body             busy          busy
502_html                busy          busy
503                     busy          busy
504                     late          late
529                     busy          busy
307_elsewhere           busy          busy
204                     unread        lost
204@cohere              unread        unread
empty_body              unread        lost
half_json               unread        lost
wrong_json              unread        lost
null                    unread        lost
a_list                  unread        lost
html                    unread        lost
no_text_but_bytes       unread        unread
no_text_but_bytes@cohere unread        lost
deep_json               unread        lost
wrong_type              fine          lost
wrong_type@cohere       fine          unread
no_choices              unread        fine
no_choices@openai       unread        counted
no_choices@vllm         unread        counted
no_choices@anthropic    empty         fine
no_choices@cohere       empty         fine
no_choices@responses    unread        unread/text
choices_of_null         unread        fine
choices_of_null@openai  unread        counted
choices_of_null@vllm    unread        counted
choices_of_null@cohere  empty         fine
choices_of_null@responses unread      unread/text
no_text                 empty         empty
no_text@responses       empty         fine
text_of_null            empty         empty
text_of_null@anthropic  unread        unread
text_of_null@cohere     unread        empty
text_of_null@responses  unread        unread/text
text_of_numbers         unread        unread
text_of_numbers@responses unread      unread/text
usage_negative          fine          fine
usage_text              fine          fine
usage_missing           fine          fine
usage_null              fine          fine
usage_huge              fine          fine
usage_beyond_integers   fine          fine
finish_length           fine          fine
finish_unknown          fine          fine
finish_null             fine          lost/text
finish_null@anthropic   unread        lost/text
finish_null@openai      fine          counted/text
finish_null@vllm        fine          counted/text
finish_null@responses   fine          fine
"""


@dataclass(frozen=True, slots=True)
class Cell:
    """One expectation; `str` of it names a test."""

    provider: Provider
    fault: str
    place: Place
    stream: bool
    outcome: str

    def __str__(self) -> str:
        return f"{self.provider}-{'stream' if self.stream else 'whole'}-{self.fault}-{self.place}"


def cells() -> Iterator[Cell]:
    """All cells, the lines for one provider in place of those for all."""
    columns = [(stream, place) for stream in (False, True) for place in PLACES]
    for table, heads in ((PLACED, columns), (PLAIN, [(False, PLACES[0]), (True, PLACES[0])])):
        lines = {name: words for name, *words in (line.split() for line in table.splitlines() if line[:1].strip())}
        for name in (name for name in lines if "@" not in name):
            for provider in PROVIDERS:
                words = lines.get(f"{name}@{provider}", lines[name])
                for (stream, place), word in zip(heads, words, strict=True):
                    if word != "-":
                        outcome, _, until = word.partition("/")
                        reached: Place = "text" if until == "text" else place
                        yield Cell(provider, name, reached, stream, outcome)
