"""The world of open words: a few of hundreds of people go from place to place, among a hundred places.

A fifth of all pairs of a person and a place are never told in training, and the texts of evaluation tell nothing else:
so what a memory answers it has not seen together, and has to have read.
"""

from rmt.tasks.babi_words import MOVES, NEVER
from rmt.tasks.base import ACTIONS, PLACES, Rng
from rmt.tasks.worlds import Question, World, pick

FIRST_NAMES = tuple(
    """
    Ada Agnes Aisha Alan Albert Alice Alma Amir Amy Ana Andrew Angela Anna Anton Arthur Asha Astrid Barbara Beatrice Ben
    Bernard Bertha Bianca Boris Brenda Brian Bruno Camille Carl Carmen Carol Cecil Chloe Clara Claude Colin Conrad Cora
    Cyril Dagmar Daniel Daphne David Deborah Derek Diana Diego Dina Dora Doris Dylan Edgar Edith Edna Elena Eli Elias
    Elisa Ella Elsa Emil Emily Emma Enid Eric Erica Esther Ethel Eva Fatima Felix Fiona Flora Fred Frida Fritz Gail
    Gareth Gemma Gerald Gina Giles Gloria Greta Gustav Gwen Hanna Harold Harriet Harry Hassan Hazel Hector Heidi Helen
    Henry Hilda Hugo Ian Ida Igor Ines Ingrid Irene Iris Irma Isaac Isabel Ivan Jacob James Jane Janet Jasmine Jeff
    Jenny Jesse Joan Joel Johan John Jonas Joseph Joyce Juan Judith Julia Julian Kai Karen Karim Karl Kate Keith Ken Kim
    Klaus Kurt Lara Lars Laura Laurence Layla Lea Leo Leon Leonard Lena Lewis Lila Lina Linda Lisa Lois Lola Lorenzo
    Louis Lucas Lucy Luis Luna Lydia Mabel Magda Maria Marco Margaret Marie Marta Martin Mary Mateo Maud Max Maya Mia
    Michael Miguel Mila Milo Mina Mira Miriam Mona Monica Morris Muriel Nadia Naomi Nasir Natalie Neil Nell Nina Noah
    Noel Nora Norman Olaf Olga Oliver Olivia Omar Oscar Otto Owen Pablo Pamela Paul Paula Pedro Peter Petra Philip
    Phoebe Pierre Polly Quentin Rachel Ralph Ramon Rebecca Regina Rita Robert Roger Rolf Rosa Roy Ruben Rudolf Ruth
    Sabine Sally Samuel Sandra Sara Sebastian Selma Sergio Sheila Sigrid Silas Simon Sofia Sonia Stella Steven Susan
    Sven Sylvia Tamara Tania Teresa Thelma Theo Thomas Tim Tina Tobias Toby Tom Toni Ulla Ursula Vera Vincent Viola
    Walter Wanda Wendy Wilma Winston Xavier Yara Yasmin Yusuf Yvonne Zara Zelda Zoe
    """.split()
)
ANYWHERE = (
    *PLACES,
    *"""
    airport alley aquarium arcade arena attic bakery balcony ballroom bank barn barracks basement beach bookshop brewery
    bridge cabin cafe camp canteen castle cathedral cave cellar chapel church cinema classroom clinic closet corridor
    cottage courtyard den desert dock dungeon factory farm field forest fountain gallery garage gate greenhouse gym
    hangar harbour hospital hostel hotel inn island jail jungle laboratory lake laundry library lighthouse lobby loft
    lounge market meadow mill monastery museum nursery orchard palace pantry park pharmacy pier playground pool porch
    prison pub restaurant river roof sauna school shed shop stable stadium station studio temple tent terrace theatre
    tower tunnel university vault vineyard warehouse workshop yard zoo
    """.split(),
)
CAST = 4  # people of a text, at most


def held_out(name: str, place: str) -> bool:
    """Whether a person and a place are never told together in training."""
    return (FIRST_NAMES.index(name) + ANYWHERE.index(place)) % 5 == 0


class OpenWords(World):
    """A world of one to four people of FIRST_NAMES who go from place to place of ANYWHERE; the latest move counts.

    In its lesson there are always four.
    """

    classes, words = (*ANYWHERE, NEVER), (*ANYWHERE, *FIRST_NAMES)

    def __init__(self, rng: Rng, **options):
        super().__init__(rng, **options)
        count = CAST if self.lesson else 1 + int(rng.integers(CAST))
        self.cast = [FIRST_NAMES[i] for i in rng.permutation(len(FIRST_NAMES))[:count]]
        self.place: dict[str, str] = {}  # person -> place

    def tell(self) -> str:
        name = pick(self.rng, self.cast)
        place = self.place.get(name)
        while place == self.place.get(name) or held_out(name, place) != self.unseen:
            place = pick(self.rng, ANYWHERE)
        self.place[name] = place
        if self.short:
            return f"{name} {place}."
        if self.varied and self.rng.random() < 0.3:
            return f"{name} {pick(self.rng, MOVES)} the {place}."
        return f"{name} {pick(self.rng, ACTIONS)} to the {place}."

    def questions(self) -> list[Question]:
        ask = "{}" if self.short else "Where is {}?"
        return [(ask.format(name), self.place.get(name, NEVER)) for name in FIRST_NAMES]
