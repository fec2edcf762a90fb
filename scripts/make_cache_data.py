#!/usr/bin/env python3
"""Makes a stream of 1,000 questions for `mneme cache eval`, with paraphrases and near misses.

    python3 scripts/make_cache_data.py dev > dev.jsonl      500 questions that the cache may be tuned on
    python3 scripts/make_cache_data.py test > test.jsonl    500 that are kept aside: other templates, other topics
    python3 scripts/make_cache_data.py pairs > pairs.jsonl  pairs of the first half that ask the same, each with near misses:
                                                            what `mneme embedder train NAME --file pairs.jsonl` learns from

A line is a question at a time: {"at": seconds, "question": …, "group": …, "version": …, "category": …, "answer": …}.
Questions of one group have the same answer; its version says which one is right at that time (prices and weather change).
Each group is asked once, some again: as it was, in other letters, or in other words. Groups are near misses of each other:
Austria and Australia, 2023 and 2024, safe and unsafe. Forms were written by hand; which ones come is drawn from a seed.
"""
import json
import random
import sys

# Each family: category, seconds until its answer changes (0: never), what fills it, and forms that ask the same.
DEV = [
    ("fact", 0, ["Austria", "Australia", "Niger", "Nigeria", "Slovakia", "Slovenia", "Guinea", "Guyana", "Iran", "Iraq", "Paraguay",
                 "Uruguay", "Zambia", "Gambia"], [
        "What is the capital of {}?", "what's the capital of {}", "Can you tell me the capital of {}?",
        "{}'s capital?", "Tell me what the capital of {} is.", "Which city is the capital of {}?"]),
    ("fact", 0, ["Norway", "Sweden", "North Korea", "South Korea", "Dominica", "the Dominican Republic",
                 "Samoa", "American Samoa", "Congo", "Kongo Central"], [
        "What is the population of {}?", "How many people live in {}?", "population of {}",
        "Tell me the population of {}", "How many inhabitants are there in {}?"]),
    ("fact", 0, ["Hamlet", "Macbeth", "Dracula", "Frankenstein", "Emma", "Ulysses", "Persuasion", "Persuasion and Rhetoric"], [
        "Who wrote {}?", "Who is the author of {}?", "who was {} written by", "Do you know who wrote {}?",
        "Which writer wrote {}?"]),
    ("fact", 0, ["the first world war start", "the first world war end", "the second world war start",
                 "the second world war end", "the Cold War end"], [
        "When did {}?", "In what year did {}?", "what year did {}", "Could you tell me when {}?"]),
    ("fact", 0, ["Mount Everest", "K2", "Mont Blanc", "Mount Fuji", "Mount Elbrus", "Mount Elbert"], [
        "How tall is {}?", "What is the height of {}?", "how high is {}", "What's the height of {} in total?"]),
    ("math", 0, ["5 km in miles", "5 miles in km", "15 km in miles", "50 km in miles", "10 kg in pounds", "10 pounds in kg"], [
        "What is {}?", "what's {}", "Please tell me, what is {}?", "How much is {}?"]),
    ("code", 0, ["reverse a list in Python", "reverse a string in Python", "reverse a list in Java", "sort a list in Python",
                 "sort a list in Python in descending order", "copy a list in Python", "sort a dictionary in Python"], [
        "How do I {}?", "how to {}", "How can I {}?", "What is the best way to {}?", "Could you show me how to {}?",
        "Is there a way to {}?"]),
    ("code", 0, ["undo the last commit in git", "undo the last push in git", "delete a branch in git", "rename a branch in git",
                 "delete a remote branch in git", "merge a branch in git"], [
        "How do I {}?", "How can I {}?", "how to {}", "Please tell me how to {}.", "What's the way to {}?"]),
    ("code", 0, ["`let` and `var` in Swift", "`let` and `const` in JavaScript", "`==` and `===` in JavaScript",
                 "`is` and `==` in Python"], [
        "What is the difference between {}?", "Explain the difference between {}.", "How do {} differ?",
        "what's the difference between {}"]),
    ("health", 0, ["safe", "unsafe"], [
        "Is it {} to take ibuprofen with paracetamol?", "is it {} to take ibuprofen with paracetamol",
        "I'd like to know: is it {} to take ibuprofen with paracetamol?"]),
    ("health", 0, ["grapes", "chocolate", "carrots", "apples", "apple seeds", "onions"], [
        "Can dogs eat {}?", "Could dogs eat {}?", "Are dogs able to eat {}?", "Is it okay for dogs to eat {}?"]),
    ("health", 0, ["adults", "children", "babies", "pregnant women"], [
        "How much water should {} drink a day?", "how much water should {} drink per day",
        "How much water do {} need a day?"]),
    ("live", 600, ["Berlin today", "Berlin tomorrow", "Bern today", "Paris today", "Rome today", "Rome tomorrow"], [
        "What is the weather in {}?", "what's the weather like in {}", "How is the weather in {}?",
        "Tell me the weather in {}", "weather {}"]),
    ("live", 600, ["Apple", "Microsoft", "Alphabet", "Amazon"], [
        "What is the price of {} stock right now?", "What's {} stock's price right now?", "current {} share price",
        "Right now, what is the price of {} stock?"]),
    ("support", 0, ["reset my password", "change my password", "change my email address", "delete my account",
                    "cancel my order", "cancel my subscription", "return my order", "track my order", "change my order",
                    "change my username", "verify my email address", "unsubscribe from the newsletter", "subscribe to the newsletter"], [
        "How do I {}?", "how can i {}", "What do I have to do to {}?", "I want to {}. How?", "What are the steps to {}?",
        "hi, how do I {} please"]),
    ("support", 0, ["before shipping", "after shipping"], [
        "Can I change my address {}?", "can i change my address {}", "Is it possible to change my address {}?"]),
]
# Forms of one question, written one by one; the last list holds near misses, each a question of its own.
DEV_PAIRS = [
    ("fact", ["Who painted the Mona Lisa?", "Who is the painter of the Mona Lisa?", "The Mona Lisa was painted by whom?"],
     ["Who stole the Mona Lisa?", "When was the Mona Lisa painted?", "Where is the Mona Lisa?"]),
    ("fact", ["Why is the sky blue?", "What makes the sky blue?", "how come the sky is blue"],
     ["Why is the sky red at sunset?", "Why is the sea blue?", "Is the sky blue on Mars?"]),
    ("fact", ["Who is the president of France?", "who's the French president", "Tell me who the president of France is"],
     ["Who was the president of France?", "Who is the president of Finland?", "Who was the first president of France?"]),
    ("fact", ["Who won the World Cup in 2018?", "Which team won the World Cup in 2018?", "2018 World Cup winner"],
     ["Who won the World Cup in 2014?", "Who hosted the World Cup in 2018?", "Who lost the World Cup final in 2018?"]),
    ("support", ["Do you ship to Canada?", "Can you ship to Canada?", "Is shipping to Canada possible?"],
     ["Do you ship from Canada?", "Don't you ship to Canada?", "Do you ship to Cyprus?"]),
    ("how", ["How long should I boil eggs?", "For how long do I boil eggs?", "how long do eggs have to boil"],
     ["How long should I bake eggs?", "How many eggs should I boil?", "How long do boiled eggs keep?"]),
    ("how", ["How do I get rid of ants?", "How can I remove ants?", "What is the best way to get rid of ants?"],
     ["How do I get rid of aunts?", "How do I keep ants?", "How do I get rid of bats?"]),
    ("code", ["What does HTTP 404 mean?", "What is the meaning of HTTP 404?", "Explain HTTP 404"],
     ["What does HTTP 403 mean?", "What does HTTP mean?", "When is HTTP 404 sent?"]),
    ("health", ["What are the symptoms of type 1 diabetes?", "Which symptoms does type 1 diabetes have?",
                "signs of type 1 diabetes"],
     ["What are the symptoms of type 2 diabetes?", "What are the causes of type 1 diabetes?",
      "What are the treatments of type 1 diabetes?"]),
    ("personal", ["What is my name?", "what's my name", "Do you know my name?"],
     ["What is your name?", "What was my name?", "What is his name?"]),
    ("task", ["Translate 'good morning' to French", "Please translate 'good morning' into French",
              "How do you say 'good morning' in French?"],
     ["Translate 'good morning' to German", "Translate 'good evening' to French", "Translate 'good morning' from French"]),
]
TEST = [
    ("fact", 0, ["Denmark", "Dominica", "Mali", "Malawi", "Mauritius", "Mauritania", "Latvia", "Lithuania",
                 "Chile", "China", "Samoa", "Somalia", "Sudan", "South Sudan"], [
        "What currency is used in {}?", "What is the currency of {}?", "Which currency does {} use?", "currency of {}",
        "Could you tell me the currency of {}?"]),
    ("fact", 0, ["Marie Curie", "Pierre Curie", "Charles Darwin", "Isaac Newton", "Alan Turing", "Ada Lovelace", "Charles Dickens",
                 "Charles Babbage"], [
        "When was {} born?", "In what year was {} born?", "what year was {} born in", "Please tell me when {} was born.",
        "{}'s year of birth?"]),
    ("fact", 0, ["Marie Curie", "Charles Darwin", "Isaac Newton", "Alan Turing"], [
        "When did {} die?", "In which year did {} die?", "Do you know when {} died?"]),
    ("fact", 0, ["the Nile", "the Amazon", "the Rhine", "the Rhone", "the Danube", "the White Nile", "the Blue Nile"], [
        "How long is {}?", "What is the length of {}?", "how long is {} in all", "Tell me how long {} is."]),
    ("fact", 0, ["the telephone", "the telegraph", "the light bulb", "dynamite", "the steam engine", "the diesel engine"], [
        "Who invented {}?", "Who is the inventor of {}?", "who was {} invented by", "Which person invented {}?"]),
    ("fact", 0, ["largest", "smallest", "second largest", "hottest", "coldest"], [
        "What is the {} planet of the solar system?", "Which planet of the solar system is the {}?",
        "the {} planet in the solar system", "Tell me the {} planet in our solar system."]),
    ("math", 0, ["20% of 150", "25% of 150", "20% of 1500", "120% of 50", "the square root of 150", "the square of 150"], [
        "What is {}?", "what's {}", "Can you calculate {}?", "How much is {}?"]),
    ("code", 0, ["read a file in Go", "write a file in Go", "read a file in Rust", "read a line in Go",
                 "append to a file in Go", "delete a file in Go", "delete a folder in Go"], [
        "How do I {}?", "how can I {}", "What is the easiest way to {}?", "Can you show me how to {}?",
        "I need to {}. How?", "how to {}"]),
    ("code", 0, ["list all containers in Docker", "stop all containers in Docker", "remove all containers in Docker",
                 "remove all images in Docker", "start all containers in Docker"], [
        "How do I {}?", "Which command do I use to {}?", "how to {}", "How would one {}?"]),
    ("code", 0, ["INNER JOIN and LEFT JOIN", "LEFT JOIN and RIGHT JOIN", "WHERE and HAVING", "UNION and UNION ALL"], [
        "What is the difference between {} in SQL?", "In SQL, what is the difference between {}?",
        "difference between {} in SQL", "How do {} differ in SQL?"]),
    ("health", 0, ["coffee", "decaffeinated coffee", "green tea", "raw fish", "soft cheese", "black tea"], [
        "Is {} safe during pregnancy?", "is {} safe while pregnant", "During pregnancy, is {} safe?",
        "I wonder: is {} safe during pregnancy?"]),
    ("health", 0, ["iron", "zinc", "vitamin B6", "vitamin B12", "vitamin D"], [
        "Which foods contain {}?", "What foods contain {}?", "What foods are rich in {}?", "foods with {}"]),
    ("live", 600, ["Bitcoin", "Ethereum", "gold", "silver", "Bitcoin Cash"], [
        "What is the current price of {}?", "current {} price", "How much does {} cost at the moment?",
        "What's the price of {} currently?", "Tell me the current price of {}"]),
    ("live", 600, ["London", "Londonderry", "Lisbon", "Lyon"], [
        "Is it raining in {} now?", "is it raining now in {}", "Does it rain in {} right now?",
        "Can you tell me if it is raining in {} now?"]),
    ("support", 0, ["update my billing address", "update my shipping address", "update my credit card",
                    "download my invoice", "download my data", "pause my plan", "upgrade my plan", "downgrade my plan",
                    "enable notifications", "disable notifications", "block a user", "unblock a user"], [
        "How do I {}?", "How can I {}?", "hello, how do i {}?", "Where can I {}?", "What are the steps to {}?",
        "I would like to know how to {}."]),
    ("support", 0, ["with a receipt", "without a receipt"], [
        "Can I return an item {}?", "can i return an item {}", "Is it possible to return an item {}?",
        "Am I able to return an item {}?"]),
]
TEST_PAIRS = [
    ("fact", ["Who discovered penicillin?", "Who is the discoverer of penicillin?", "By whom was penicillin discovered?"],
     ["Who discovered insulin?", "How was penicillin discovered?", "Who produced penicillin first?"]),
    ("fact", ["Why do leaves change color in fall?", "Why do leaves change colour in autumn?",
              "What is the reason that leaves change color in fall?"],
     ["Why do leaves fall?", "Why don't leaves change color in spring?", "When do leaves change color?"]),
    ("fact", ["How far is the moon from the earth?", "What is the distance from the earth to the moon?",
              "How far away from the earth is the moon?"],
     ["How far is the sun from the earth?", "How far is the moon from Mars?", "How big is the moon?"]),
    ("fact", ["Who was the king of England in 1600?", "Who was England's king in 1600?", "In 1600, who was king of England?"],
     ["Who was the king of England in 1700?", "Who was the queen of England in 1600?", "Who was the king of Spain in 1600?"]),
    ("support", ["Is my payment refundable?", "Can I get my payment refunded?", "is my payment refundable please"],
     ["Is my payment non-refundable?", "Is my payment taxable?", "Is your payment refundable?"]),
    ("how", ["How do I remove a wine stain?", "How can I get rid of a wine stain?", "What is the best way to remove a wine stain?"],
     ["How do I remove a wine label?", "How do I remove a coffee stain?", "How do I prevent a wine stain?"]),
    ("how", ["How long does it take to charge an electric car?", "How long does an electric car take to charge?",
             "how long does charging an electric car take"],
     ["How much does it cost to charge an electric car?", "How long does it take to charge an electric bike?",
      "How long does it take to repair an electric car?"]),
    ("code", ["What does SIGTERM do?", "what does SIGTERM do exactly", "Please explain what SIGTERM does"],
     ["What does SIGKILL do?", "What does SIGINT do?", "How do I send SIGTERM?"]),
    ("health", ["How can I lower my blood pressure?", "How do I reduce my blood pressure?", "How can I decrease blood pressure?"],
     ["How can I raise my blood pressure?", "How can I lower my blood sugar?", "How can I measure my blood pressure?"]),
    ("personal", ["When is my next appointment?", "when's my next appointment", "Tell me when my next appointment is"],
     ["When was my last appointment?", "When is your next appointment?", "Where is my next appointment?"]),
    ("task", ["Write a poem about autumn", "Please write a poem about autumn", "Could you write a poem about autumn?"],
     ["Write a poem about spring", "Write a story about autumn", "Write a short poem about autumn"]),
]
# Questions of a half, and those of them that come again as they were.
QUESTIONS, SAME = 500, 80


def groups(families, pairs):
    """All groups: name, category, seconds until the answer changes, forms."""
    for number, (category, changes, values, forms) in enumerate(families):
        for value in values:
            yield f"{number}:{value}", category, changes, [form.format(value) for form in forms]
    for number, (category, forms, misses) in enumerate(pairs):
        yield f"pair {number}", category, 0, forms
        for miss in misses:
            yield f"miss {number}:{miss}", category, 0, [miss]


def stream(half):
    draw = random.Random(f"mneme cache {half}")
    chosen = list(groups(*((DEV, DEV_PAIRS) if half == "dev" else (TEST, TEST_PAIRS))))
    draw.shuffle(chosen)
    # Every group is asked once; then other forms of some, and the same forms again.
    others = [(group, form) for group in chosen for form in range(1, len(group[3]))]
    draw.shuffle(others)
    order = [(group, 0) for group in chosen]
    order += others[:QUESTIONS - SAME - len(order)]
    order += draw.choices(order, k=QUESTIONS - len(order))
    draw.shuffle(order)
    seen = set()
    for place, ((name, category, changes, forms), form) in enumerate(order):
        at = place * 60
        if name not in seen:
            form = 0
            seen.add(name)
        text = forms[form]
        if form == 0 and draw.random() < 0.3:
            text = draw.choice([text.lower(), text.rstrip("?."), text + " ", text.upper() if "`" not in text else text])
        version = at // changes if changes else 0
        yield {"at": at, "question": text, "group": f"{half} {name}", "version": version, "category": category,
               "answer": f"Answer {version} of {name}."}


def training_pairs(most=3):
    """Every two forms of a group, in both orders, with near misses: the other form of a neighbouring value, or what was written as
    one."""
    draw = random.Random("mneme cache pairs")
    found = []
    for number, (_, _, values, forms) in enumerate(DEV):
        for value in values:
            others = [other for other in values if other != value]
            for first in forms:
                for second in forms:
                    if first != second:
                        misses = [second.format(other) for other in draw.sample(others, min(most, len(others)))]
                        found.append((f"{number}:{value}", first.format(value), second.format(value), misses))
    for number, (_, forms, misses) in enumerate(DEV_PAIRS):
        found += [(f"pair {number}", a, b, misses[:most]) for a in forms for b in forms if a != b]
    draw.shuffle(found)
    for group, prompt, completion, misses in found:
        yield {"prompt": prompt, "completion": completion, "group": group, "negatives": misses}


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in ("dev", "test", "pairs"):
        sys.exit(__doc__)
    for line in training_pairs() if sys.argv[1] == "pairs" else stream(sys.argv[1]):
        print(json.dumps(line, ensure_ascii=False))
