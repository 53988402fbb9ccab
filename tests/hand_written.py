"""Texts written by hand to ask the qa1 specimens about: prose that no generator made, by kind.

A text is (what is told, {person: where they are at the end}); who is left out of the answers was never mentioned.
"""

FOUR_PEOPLE = [
    (
        "It had rained all morning, and the house was quiet. Mary went to the kitchen. The clock on the wall had "
        "stopped years ago and nobody had ever thought of winding it. John moved to the garden. Somewhere a dog "
        "barked twice. Sandra travelled to the office. The letters lay unopened on the table, one on top of the "
        "other, as they had since Monday. Daniel went back to the bedroom. By noon the sky had cleared.",
        {"Mary": "kitchen", "John": "garden", "Sandra": "office", "Daniel": "bedroom"},
    ),
    (
        "The old man told the story again, slowly, as if for the first time. Daniel journeyed to the hallway. "
        "Nobody listened any more. Sandra went to the bathroom. The fire had burned low and the children had "
        "fallen asleep on the carpet. John travelled to the kitchen. Outside, the first snow of the year was "
        "falling on the roofs. Mary moved to the bedroom. The old man smiled and told it once more from the "
        "beginning.",
        {"Daniel": "hallway", "Sandra": "bathroom", "John": "kitchen", "Mary": "bedroom"},
    ),
    (
        "A train leaves every hour, the guide had said, but he had not said from where. Sandra moved to the "
        "garden. We waited under the bridge until it was too dark to read. Mary journeyed to the office. Then "
        "somebody remembered the boat. John went back to the hallway. It was small and it leaked, but it carried "
        "all of us across before midnight. Daniel went to the kitchen. In the morning nobody spoke of the train.",
        {"Sandra": "garden", "Mary": "office", "John": "hallway", "Daniel": "kitchen"},
    ),
    (
        "There is a kind of silence that only machines can make when they stop. John went to the bathroom. The "
        "engineers stood around the pump and looked at one another. Daniel moved to the garden. One of them had "
        "brought a lamp, another a book with diagrams that were older than himself. Mary travelled to the "
        "hallway. At last they found the valve. Sandra went back to the bedroom. The water came back with a sigh.",
        {"John": "bathroom", "Daniel": "garden", "Mary": "hallway", "Sandra": "bedroom"},
    ),
]

UPDATES = [
    (
        "Mary went to the garden. The grass was wet and full of apples. John went to the office. He had forgotten"
        " the keys, of course. Mary moved to the kitchen. There was soup on the stove and bread on the table, and"
        " a note that said that somebody would be late. John travelled to the bedroom. The window had been left "
        "open all night. Mary went back to the hallway. A coat was missing.",
        {"Mary": "hallway", "John": "bedroom"},
    ),
    (
        "Sandra journeyed to the bedroom. It was the third time that week that the lights had failed. Sandra went"
        " to the bathroom. The candles were gone, too. Daniel moved to the kitchen. He counted the matches twice "
        "and found eleven of them. Sandra travelled to the garden. The stars were bright enough to read by. "
        "Daniel went to the office. When the lights came back nobody noticed.",
        {"Sandra": "garden", "Daniel": "office"},
    ),
    (
        "Daniel went to the hallway. The postman had come and gone without ringing. Daniel travelled to the "
        "kitchen. Every cup was dirty. Daniel moved to the bathroom. In the mirror he saw that he had shaved one "
        "cheek and not the other. Mary went to the office. Daniel journeyed to the bedroom. It was Sunday after "
        "all.",
        {"Daniel": "bedroom", "Mary": "office"},
    ),
    (
        "John moved to the kitchen. Sandra moved to the kitchen. For a while they talked of nothing but the "
        "weather, which had been the same for weeks. John went back to the garden. The roses wanted cutting. "
        "Sandra went to the hallway. John journeyed to the office. There was a lot to do before the end of the "
        "year, and very little of it had been done.",
        {"John": "office", "Sandra": "hallway"},
    ),
]

OTHER_VERBS = [
    (
        "Mary marched to the office. It was not yet seven and the street was empty. John slipped into the "
        "kitchen. He had been told not to touch the cake. Sandra raced to the garden. The ball had gone over the "
        "wall again. Daniel sneaked into the bedroom. He wanted to be asleep before anybody asked.",
        {"Mary": "office", "John": "kitchen", "Sandra": "garden", "Daniel": "bedroom"},
    ),
    (
        "Daniel dashed to the hallway. The bell had rung twice by then. Mary skipped to the bathroom. She was "
        "singing something that she had heard in the market. John trudged to the bedroom. It had been a long day."
        " Sandra paced to the kitchen. The kettle was cold.",
        {"Daniel": "hallway", "Mary": "bathroom", "John": "bedroom", "Sandra": "kitchen"},
    ),
]

ROOMS_IN_THE_PROSE = [
    (
        "The kitchen had been painted yellow the year before. Mary went to the bedroom. A garden is never "
        "finished, her aunt used to say, and an office is never empty. John travelled to the hallway. In the "
        "bathroom a tap was dripping. The kitchen smelled of paint and the hallway of rain. Sandra moved to the "
        "office.",
        {"Mary": "bedroom", "John": "hallway", "Sandra": "office"},
    ),
    (
        "The tour begins in the hallway, goes on through the kitchen and ends in the garden. Daniel went to the "
        "bathroom. Visitors may not enter the bedroom or the office. Sandra journeyed to the kitchen. The garden "
        "closes at five. The office closes when the last visitor has left the hallway. John moved to the garden.",
        {"Daniel": "bathroom", "Sandra": "kitchen", "John": "garden"},
    ),
]

KINDS = {
    "four people": FOUR_PEOPLE,
    "updates": UPDATES,
    "verbs never trained on": OTHER_VERBS,
    "rooms in the prose": ROOMS_IN_THE_PROSE,
}
