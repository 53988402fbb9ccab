"""Places in relation to each other: bAbI qa4 (Weston et al. 2015, arXiv 1502.05698), and questions about two facts."""

from rmt.tasks.babi_words import DIRECTIONS, NEVER
from rmt.tasks.base import PLACES, Rng
from rmt.tasks.worlds import Question, World, pick


class Relations(World):
    """The world of qa4: three places in a line, told in two facts; the question is about one of them.

    Its lesson has no questions with the opposite of the direction told. Which of two places is where needs the
    direction told, the one asked for and the order of both: from all questions at once a small model learned which
    places are next to each other, and never on which side. Its hard questions cannot do without the side: what lies on
    either side of the place between the other two, and what lies beyond those, which is nothing told.
    """

    classes, alone = (*PLACES, NEVER), True  # "What is north of the garden?" and "What is south of the office?"

    words = (*PLACES, *DIRECTIONS)
    told_way = True  # whether its lesson asks in the direction told alone

    def __init__(self, rng: Rng, **options):
        super().__init__(rng, **options)
        self.told: list[tuple[str, str, str]] = []  # the facts so far: place, direction, reference place
        places = [PLACES[i] for i in rng.permutation(len(PLACES))[:3]]
        direction = pick(rng, tuple(DIRECTIONS))
        pairs = [(places[0], direction, places[1]), (places[1], direction, places[2])]
        turned = [
            (second, DIRECTIONS[way], first) if rng.random() < 0.5 else (first, way, second)
            for first, way, second in pairs
        ]
        self.coming = [turned[i] for i in rng.permutation(2)]

    def tell(self) -> str | None:
        if not self.coming:
            return None
        first, direction, second = fact = self.coming.pop()
        self.told.append(fact)
        return f"{first} {direction} {second}." if self.short else f"The {first} is {direction} of the {second}."

    def questions(self) -> list[Question]:
        """The official forms of questions: what is in a direction of a place, and what a place is in a direction of."""
        of, front = ("{1} {0}", "{0} {1}") if self.short else ("What is {1} of the {0}?", "What is the {0} {1} of?")
        answers: dict[str, str] = {}
        mentioned = {place for first, _, second in self.told for place in (first, second)}
        one = [direction for _, direction, _ in self.told[:1]]  # enough of the places that were not mentioned
        for place in PLACES:
            for direction in DIRECTIONS if place in mentioned else one:
                answers[of.format(place, direction)] = answers[front.format(place, direction)] = NEVER
        for first, direction, second in self.told:
            for here, way, other in [(first, direction, second), (second, DIRECTIONS[direction], first)]:
                for question, answer in [(of.format(other, way), here), (front.format(here, way), other)]:
                    if self.lesson and self.told_way and way != direction:
                        del answers[question]
                    else:
                        answers[question] = answer
        return [pair for pair in answers.items() if not self.hard or self._needs_the_side(*pair)]

    def _needs_the_side(self, question: str, answer: str) -> bool:
        """Whether who knows only which places are next to each other cannot answer; of one fact, all questions do."""
        if len(self.told) < 2:
            return True
        one, other = ({first, second} for first, _, second in self.told)
        way = self.told[0][1]
        if answer != NEVER:  # of the place between
            return any(place in question for place in one & other)
        return any(place in question for place in one | other) and any(w in question for w in (way, DIRECTIONS[way]))


class Chains(Relations):
    """Places in a line as in qa4, of which what lies two places away is asked: no fact alone says it.

    The facts may be told in opposite directions ("The garden is north of the kitchen. The office is south of the
    kitchen."). In its lesson the questions of qa4 are asked, too.
    """

    told_way = False

    def questions(self) -> list[Question]:
        """What is two places in a direction from a place; so of each place that was told of, in each direction."""
        ask = "two {1} {0}" if self.short else "What is two places {1} of the {0}?"
        next_to = {(second, way): first for first, way, second in self._both_ways()}
        mentioned = {place for pair in self.told for place in (pair[0], pair[2])}
        asked = []
        for place in PLACES:
            # Of the places that were not mentioned one question is enough.
            for way in DIRECTIONS if place in mentioned else [way for _, way, _ in self.told[:1]]:
                answer = next_to.get((next_to.get((place, way), ""), way), NEVER)
                asked.append((ask.format(place, way), answer))
        return asked + (super().questions() if self.lesson else [])

    def _both_ways(self) -> list[tuple[str, str, str]]:
        """The facts so far, each also as told from its other place."""
        return [*self.told, *((second, DIRECTIONS[way], first) for first, way, second in self.told)]
