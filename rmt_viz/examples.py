"""Texts to begin with: a fact, something else, a question; one for each task."""

NOISE = """\
The survey of the northern coast was finished in the spring, and its charts were sent to every harbor on the lakes. \
Trade along the canals has grown with each season, so that new locks are wanted at three places. The commission \
asks for two more engineers and for the means to print its report. Farmers in the valley had a good year; their \
wheat was carried by rail as far as the sea, and the price of freight fell by a third. The schools have opened a \
second term for those who work in summer."""

EXAMPLES = {
    "memorize": f"Mary went to the garden. {NOISE} Where is Mary?",
    "detect": f"{NOISE} John moved to the hallway. {NOISE} Where is John?",
    "reasoning": (
        f"The garden is north of the kitchen. {NOISE} The kitchen is north of the office. What is the kitchen north of?"
    ),
}
HINTS = {
    "memorize": "It follows one person: “Mary went to the garden.” … “Where is Mary?”",
    "detect": "It follows one person, told of anywhere in the text: “John moved to the hallway.” … “Where is John?”",
    "reasoning": "It needs two facts, anywhere: “The garden is north of the kitchen. The kitchen is north of the "
    "office.” … “What is the kitchen north of?”",
}
