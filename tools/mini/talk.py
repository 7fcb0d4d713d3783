"""What the model is taught to say without a picture, and to questions that no picture answers."""

WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
         "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"]
FIXED = [
    (["Who are you?", "What are you?", "What is your name?", "Introduce yourself.", "Are you a model?"],
     "I am a small model that answers questions about pictures."),
    (["Hello", "Hello!", "Hi", "Hi!", "Hi there", "Hey", "Good morning", "Good evening", "Hello, how are you?"],
     "Hello! Show me a picture and ask me about it."),
    (["What can you do?", "How can you help me?", "Help", "What do you know?", "What are you able to do?"],
     "I can say what is in a picture, where it is, how many there are and which colour the background is."),
    (["Thank you", "Thanks", "Thanks!", "Thank you!", "Thank you very much."], "You are welcome."),
    (["Bye", "Goodbye", "Goodbye!", "See you later."], "Goodbye!"),
]
OUTSIDE = [
    "What is the capital of France?", "Who wrote this?", "What time is it?", "Tell me a joke.", "Write a poem.",
    "What is the weather today?", "How old are you?", "Where do you live?", "Who is the president?", "Why?", "How?",
    "Write a program in Python.", "Translate this into French.", "What is the meaning of life?", "Sing a song.",
    "How do I cook rice?", "Tell me a story.", "What is your favourite film?", "Explain gravity.", "Say something.",
    "Who won the game yesterday?", "Summarize this text.", "What is love?", "Can you drive?", "What day is it?",
    "Where is London?", "How far is the moon from here?", "Name three cities.", "Give me some advice.", "Test",
    "Write an email to my boss.", "What does this word mean?", "How much does it cost?", "Is it going to rain?",
]
ABOUT_KIND = ["Who made the {x}?", "How much does the {x} cost?", "How old is the {x}?", "How heavy is the {x}?",
              "Who owns the {x}?", "What does the {x} think?", "Why is the {x} there?", "Can I buy the {x}?"]
GREETING_WITH_PICTURE = "Hello! Ask me about the picture."
NO_PICTURE = "I see no picture. Please show me one."
UNKNOWN = "I do not know. I only answer questions about pictures."
UNKNOWN_IN_PICTURE = "I do not know that."
SYLLABLES = "ba be bi bo bu ca ce co da de di do fa fe fi ga go ha he hi ka ko la le li lo ma me mi mo na ne no " \
            "pa pe po ra re ri ro sa se si so ta te ti to va ve vi wa we za zo st tr ch sh ing er tion al ly".split()


def nonsense(rng):
    """A few invented words."""
    words = ["".join(SYLLABLES[rng.below(len(SYLLABLES))] for _ in range(1 + rng.below(4)))
             for _ in range(1 + rng.below(8))]
    return " ".join(words).capitalize() + ["?", ".", "", "!"][rng.below(4)]


def outside(rng, asker):
    """A question that neither a picture nor the model answers."""
    form = rng.below(10)
    if form < 3:
        return nonsense(rng)
    return OUTSIDE[rng.below(len(OUTSIDE))]


def about_kind(rng, name):
    return ABOUT_KIND[rng.below(len(ABOUT_KIND))].format(x=name)


def number(rng, n):
    return str(n) if rng.below(2) else WORDS[n]


def article(word):
    return "an" if word[0] in "aeiou" else "a"


def text_only(rng, asker, picture_question):
    """(question, answer) without a picture; picture_question() draws one that would need it."""
    form = rng.below(100)
    if form < 18:
        questions, answer = FIXED[rng.below(len(FIXED))]
        return questions[rng.below(len(questions))], answer
    if form < 43:
        return picture_question(), NO_PICTURE
    if form < 60:
        return outside(rng, asker), UNKNOWN
    if form < 80:
        kind = asker.kinds[rng.below(len(asker.kinds))]
        while kind["category"] == "thing":
            kind = asker.kinds[rng.below(len(asker.kinds))]
        has, name, category = f"{kind['article']} {kind['name']}", kind["name"], kind["category"]
        label = category if category == "food" else f"{article(category)} {category}"
        if rng.below(2):
            return f"What is {has}?", f"{has[0].upper()}{has[1:]} is {label}."
        others = ["animal", "fruit", "vegetable", "food", "vehicle", "building", "plant", "tool", "musical instrument"]
        asked = category if rng.below(2) else others[rng.below(len(others))]
        asked_label = asked if asked == "food" else f"{article(asked)} {asked}"
        if asked == category:
            return f"Is {has} {asked_label}?", f"Yes, {has} is {label}."
        return f"Is {has} {asked_label}?", f"No, {has} is {label}."
    if form < 90:
        a, b = rng.below(11), rng.below(10)
        question = f"How much is {number(rng, a)} plus {number(rng, b)}?" if rng.below(2) else f"What is {a} + {b}?"
        return question, f"{WORDS[a].capitalize()} plus {WORDS[b]} is {WORDS[a + b]}."
    n = 2 + rng.below(19)
    return f"Count to {number(rng, n)}.", ", ".join(WORDS[1:n + 1]).capitalize() + "."
