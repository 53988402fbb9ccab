"""The words of bAbI qa1 to qa5 (Weston et al. 2015, arXiv 1502.05698): people, objects, verbs, and the classes."""

from rmt.tasks.base import NAMES, PLACES

OBJECTS = ("football", "apple", "milk")
GIVERS = ("Bill", "Fred", "Jeff", "Mary")  # the people of qa5
CROWD = (*NAMES, "Bill", "Fred", "Jeff", "Anna", "Peter", "Emma", "Paul", "Laura", "Tom", "Alice", "Henry", "Grace",
         "George", "Helen", "Frank", "Ruth", "Albert", "Clara", "Simon", "Julia")  # fmt: skip
TAKES = ("got", "grabbed", "took", "picked up")
DROPS = ("dropped", "discarded", "left", "put down")
GIVES = ("gave", "handed", "passed")
DIRECTIONS = {"north": "south", "south": "north", "east": "west", "west": "east"}
NEVER = "never mentioned"
# Other words for a move, for varied stories; the official files have ACTIONS alone.
MOVES = (
    "walked to", "ran to", "hurried to", "returned to", "came to", "headed to", "strolled to", "rushed to", "got to",
    "drove to", "crept to", "wandered to", "walked into", "ran into", "stepped into", "went into", "came into",
    "entered", "is in", "is now in", "was in", "sat down in", "stayed in", "waited in", "went straight to",
    "left for", "reached",
)  # fmt: skip
OPENINGS = ("Then ", "Later ", "After that ", "In the morning ", "At last ", "Soon ", "This time ")
CLOSINGS = (" again", " at once", " in the end", " alone", " to rest", " after lunch")
CLASSES = (*PLACES, *GIVERS, *OBJECTS, NEVER)
