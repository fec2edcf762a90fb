import MnemeCache
import Testing

@Suite struct QuestionDifferenceTests {
    @Test(arguments: [
        ("What is the capital of Austria?", "what's the capital of austria"),
        ("How do I reverse a list in Python?", "In Python, how can I reverse a list?"),
        ("Could you please tell me who painted the Mona Lisa?", "Who painted the Mona Lisa"),
        ("How many people live in Tokyo?", "What is the population of Tokyo?"),
        ("Fix a flat tire", "repair a flat tire, please"),
        ("When did World War 2 end?", "In what year did the Second World War end?"),
        (
            "What is the difference between A records and CNAME records?",
            "difference between CNAME records and A records"
        ),
    ])
    func `other words for the same question are no difference`(_ a: String, _ b: String) {
        #expect(QuestionDifference.between(a, b) == nil)
        #expect(QuestionDifference.between(b, a) == nil)
    }

    @Test(arguments: [
        ("What is the capital of Austria?", "What is the capital of Australia?", "word"),
        ("Who won in 2023?", "Who won in 2024?", "number"),
        ("Is ibuprofen safe?", "Is ibuprofen unsafe?", "opposite"),
        ("Is ibuprofen safe?", "Is ibuprofen not safe?", "negation"),
        ("Why do cats purr?", "Why don't cats purr?", "negation"),
        ("When was Rome founded?", "Where was Rome founded?", "kind"),
        ("Can I eat raw eggs?", "Should I eat raw eggs?", "kind"),
        ("Who is the president of France?", "Who was the president of France?", "time"),
        ("What is my name?", "What is your name?", "person"),
        ("How old is he?", "How old is she?", "person"),
        ("How old am I?", "How old are you?", "person"),
        ("Flights from Paris to London", "Flights from London to Paris", "order"),
        ("Flights to Paris", "Flights from Paris", "order"),
        ("Is Python faster than Java?", "Is Java faster than Python?", "order"),
        ("What is 5 miles in km?", "What is 5 km in miles?", "order"),
        ("Do dogs chase cats?", "Do cats chase dogs?", "order"),
        ("Sort a list in C", "Sort a list in C++", "sign"),
        ("What does 😀 mean?", "What does 😡 mean?", "sign"),
        ("What does `a` do?", "What does `b` do?", "quotation"),
        ("How tall is it in feet?", "How tall is it in meters?", "word"),
        ("What is the population of the US?", "What is the population of us?", "word"),
        ("Translate it to French", "Translate it to German", "word"),
        ("What is the capital of France?", "Quelle est la capitale de la France ?", "word"),
        ("What comes before noon?", "What comes after noon?", "opposite"),
        ("Is a cat or a dog better?", "Is a cat and a dog better?", "word"),
    ])
    func `what must not differ is a difference, both ways`(_ a: String, _ b: String, _ reason: String) {
        #expect(QuestionDifference.between(a, b)?.rawValue == reason)
        #expect(QuestionDifference.between(b, a) != nil)
    }
}
