#!/usr/bin/env python3
"""Makes a narrative sample in LoCoMo's form of Project Gutenberg's "Pride and Prejudice" (its plain text, No. 1342), for
`mneme eval --data`: a chapter is a conversation, a paragraph a message, and each question has the paragraphs that answer it.

    python3 scripts/make_narrative.py pride-and-prejudice.txt > narrative.json
    mneme eval --grid --recipes comorag --data narrative.json

Questions were written by hand, in other words than the book's; their evidence is found by a few words of it, so that the script
fails where an edition differs. Needs the text alone; nothing is fetched.
"""
import json
import re
import sys

# What is asked, and words that stand in the paragraphs that answer it.
QUESTIONS = [
    ("How rich is the gentleman who rents Netherfield said to be?", ["A single man of large fortune; four or five thousand a year"]),
    ("Why does Mr. Darcy refuse to dance with Elizabeth at the assembly?", ["She is tolerable, but not handsome enough"]),
    ("How did Sir William Lucas come to his title?", ["risen to the honour of knighthood by an address to the king"]),
    ("How much money did Mr. Bingley inherit from his father?", ["inherited property to the amount of nearly a hundred thousand pounds"]),
    ("Why was Jane sent to Netherfield on horseback and not in the coach?", ["because it seems likely to rain; and then you must stay all night"]),
    ("Who inherits Mr. Bennet's estate when he dies?", ["may turn you all out of this house as soon as he pleases", "entailed, in default of heirs male"]),
    ("What does Mr. Bennet say about his wife's nerves?", ["They are my old friends"]),
    ("What did Elizabeth look like after her walk of three miles through the mud?", ["six inches deep in mud"]),
    ("Which accomplishments must a woman have according to Miss Bingley?", ["must have a thorough knowledge of music, singing, drawing, dancing"]),
    ("Who is the patroness of the clergyman Mr. Collins?", ["distinguished by the patronage of the Right Honourable Lady Catherine"]),
    ("From which book does Mr. Collins read to the ladies?", ["chose Fordyce's Sermons"]),
    ("What did Wickham say the elder Mr. Darcy had promised to leave him?", ["bequeathed me the next presentation of the best living in his gift"]),
    ("Why is Wickham absent from the ball at Netherfield?", ["he had not wanted to avoid a certain gentleman here"]),
    ("What does Mr. Bennet tell Elizabeth after she has turned down Mr. Collins?", ["An unhappy alternative is before you, Elizabeth"]),
    ("Whom does Mr. Collins marry in the end?", ["Engaged to Mr. Collins! My dear Charlotte"]),
    ("Why does Charlotte accept Mr. Collins?", ["I ask only a comfortable home"]),
    ("Which young lady with a fortune does Wickham turn his attentions to?", ["sudden acquisition of ten thousand pounds"]),
    ("Who invites Elizabeth on a journey in the summer?", ["a tour of pleasure which they proposed taking in the summer"]),
    ("How does Lady Catherine wonder at the way the Bennet girls were brought up?", ["No governess! How was that possible?"]),
    ("How old is Elizabeth when she visits Rosings?", ["I am not one-and-twenty"]),
    ("From what did Darcy boast to have saved his friend, according to Colonel Fitzwilliam?", ["having lately saved a friend from the inconveniences of a most imprudent marriage"]),
    ("With which words does Darcy propose for the first time?", ["In vain I have struggled"]),
    ("What accusation hurts Darcy most about the manner of his proposal?", ["gentlemanlike manner.' Those were your words"]),
    ("How large is the fortune of Miss Darcy that Wickham was after?", ["is thirty thousand pounds"]),
    ("What sum did Wickham get instead of the church living?", ["accepted in return three thousand pounds"]),
    ("Where does the regiment move for the summer?", ["They are going to be encamped near Brighton"]),
    ("Who invites Lydia to the seaside?", ["received an invitation from Mrs. Forster"]),
    ("What does the housekeeper say of her master's temper?", ["never known a cross word from him in my life"]),
    ("Which sport does Darcy offer to Mr. Gardiner at Pemberley?", ["to supply him with fishing tackle"]),
    ("Where did the runaways first say they were going?", ["I am going to Gretna Green"]),
    ("What bad news does Jane's letter bring while Elizabeth is in Derbyshire?", ["sister has left all her friends--has eloped"]),
    ("How much a year does Wickham ask of Mr. Bennet for marrying Lydia?", ["one hundred pounds per annum"]),
    ("Who was secretly at Lydia's wedding?", ["he was to come there with Wickham", "for Mr. Darcy might have done as well"]),
    ("In which church did Wickham marry?", ["married, you know, at St. Clement's"]),
    ("What does Lady Catherine demand of Elizabeth in the garden?", ["will you promise me, never to enter into such an engagement"]),
    ("How does Darcy ask for the second time?", ["You are too generous to trifle with me"]),
    ("When did Elizabeth's liking for Darcy begin, as she tells her sister?", ["first seeing his beautiful grounds at Pemberley"]),
    ("Which daughter remains at home after the weddings?", ["Mary was the only daughter who remained at home"]),
]


def paragraphs(text):
    """Chapters as lists of paragraphs, each on one line."""
    body = text.split("*** START OF", 1)[-1].split("*** END OF", 1)[0]
    chapters = re.split(r"^Chapter \d+\s*$", body, flags=re.M)[1:]
    return [[" ".join(part.split()) for part in chapter.split("\n\n") if part.strip()] for chapter in chapters]


def main(path):
    with open(path, encoding="utf-8-sig") as file:
        chapters = paragraphs(file.read())
    conversation, places = {}, []
    for number, parts in enumerate(chapters, 1):
        month, day = divmod(number - 1, 28)
        conversation[f"session_{number}_date_time"] = f"1:00 pm on {day + 1} {['January', 'February', 'March'][month]}, 1813"
        conversation[f"session_{number}"] = [
            {"speaker": "Narrator", "text": part, "dia_id": f"D{number}:{place}"} for place, part in enumerate(parts, 1)]
        places += [(f"D{number}:{place}", part) for place, part in enumerate(parts, 1)]
    asked, missing = [], []
    for question, quotes in QUESTIONS:
        evidence = [[name for name, part in places if quote.lower() in part.lower()] for quote in quotes]
        missing += [quote for quote, found in zip(quotes, evidence) if not found]
        asked.append({"question": question, "category": 4, "evidence": [found[0] for found in evidence if found]})
    if missing:
        sys.exit(f"This edition has no paragraph with: {'; '.join(missing)}")
    print(json.dumps([{"sample_id": "pride-and-prejudice", "conversation": conversation, "qa": asked}]))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
