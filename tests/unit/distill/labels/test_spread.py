from __future__ import annotations

from distill.labels.splits import calibrates
from distill.labels.spread import chosen_for_spread, sampled
from schemas.files.corpus import Example
from schemas.types import text_digest

COMMON = [f"the ferry to the island leaves at {hour} sharp" for hour in "abcdefghijklmnopqrst"]
RARE = ["my aunt paints chairs", "goat cheese again", "who sold those bicycles"]


def examples(texts: list[str]) -> list[Example]:
    return [Example(str(number), text, ()) for number, text in enumerate(texts)]


def test_where_there_are_no_more_all_are_taken() -> None:
    given = examples(RARE)
    assert chosen_for_spread(given, 3, seed=0) == given
    assert chosen_for_spread(given, 9, seed=0) == given


def test_rare_kinds_of_text_come_in_among_many_that_are_alike() -> None:
    given = examples([*COMMON, *RARE])
    found = [
        sum(one.text in RARE for one in chosen_for_spread(given, 6, seed=seed))
        for seed in range(10)
    ]
    # At random there would be 0.8 of 6.
    assert sum(found) / len(found) > 2


def test_the_choice_keeps_the_order_takes_nothing_twice_and_repeats() -> None:
    given = examples([*COMMON, *RARE])
    chosen = chosen_for_spread(given, 10, seed=4)
    numbers = [int(one.id) for one in chosen]
    assert numbers == sorted(set(numbers))
    assert chosen == chosen_for_spread(given, 10, seed=4)
    assert chosen != chosen_for_spread(given, 10, seed=5)


def test_what_will_calibrate_is_a_fifth_and_drawn_at_random() -> None:
    common = [f"the ferry to the island leaves at {number} sharp" for number in range(400)]
    rare = {f"{chr(97 + i % 26) * 5} {chr(97 + i * 7 % 26) * 6} {i}" for i in range(40)}
    given = examples(common + sorted(rare))
    taken = [one for seed in range(20) for one in chosen_for_spread(given, 50, seed=seed)]
    proving = [one for one in taken if calibrates(text_digest(one.text))]
    assert len(proving) == 20 * 10
    among = [one for one in given if calibrates(text_digest(one.text))]
    at_random = sum(one.text in rare for one in among) / len(among)
    assert 0.04 < at_random < 0.2
    assert sum(one.text in rare for one in proving) / len(proving) < 2 * at_random
    learnt = [one for one in taken if one not in proving]
    assert sum(one.text in rare for one in learnt) / len(learnt) > 3 * at_random


def test_where_too_few_are_left_to_choose_from_more_are_drawn() -> None:
    given = examples(COMMON + RARE)
    assert len(chosen_for_spread(given, len(given) - 1, seed=0)) == len(given) - 1


def test_texts_that_look_the_same_are_enough_too() -> None:
    assert len(chosen_for_spread(examples(["same words"] * 8), 5, seed=0)) == 5


def test_a_sample_holds_no_more_than_it_may_takes_no_text_twice_and_counts_all() -> None:
    given = examples([f"text {number % 300}" for number in range(600)])
    sample, n = sampled(iter(given), 50, seed=1)
    assert (len(sample), n) == (50, 600)
    assert len({one.text for one in sample}) == 50
    assert [int(one.id) for one in sample] == sorted(int(one.id) for one in sample)
    assert {one.text for one in sampled(given[::-1], 50, seed=1)[0]} == {x.text for x in sample}
    assert {one.text for one in sampled(given, 50, seed=2)[0]} != {x.text for x in sample}


def test_of_few_texts_the_sample_is_all() -> None:
    given = examples(RARE)
    assert sampled(given, 5, seed=0) == (given, 3)
    assert sampled([], 5, seed=0) == ([], 0)
