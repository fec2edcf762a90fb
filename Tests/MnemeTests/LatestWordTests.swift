import Foundation
import Mneme
import MnemeIndex
import MnemeStore
import Testing

@Suite struct LatestWordTests {
    private static let owner = Owner(user: "ana")
    private static func day(_ number: Int) -> Date {
        Date(timeIntervalSince1970: 1_767_600_000 + Double(number) * 86_400)
    }

    /// The answers, best first, after texts were said two months apart.
    private func answers(_ question: String, after texts: [String], limit: Int = 10) async throws
        -> [String]
    {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        for (number, text) in texts.enumerated() {
            try await memory.remember(
                [MemoryInput(text, eventTime: Self.day(60 * number))], scope: Scope(user: "ana"))
        }
        var request = RecallRequest(question, owner: Self.owner, limit: limit)
        request.now = Self.day(1_000)
        let found = try await memory.recall(request).memories.map(\.memory.text)
        await memory.close(deadline: .zero)
        return found
    }

    @Test(arguments: [
        (
            "We deploy with Jenkins", "We no longer deploy with Jenkins; we use GitHub Actions now",
            "How do we deploy?"
        ),
        ("My phone number is 555-0100", "My new number is 555-0199", "What is my phone number?"),
        (
            "The meeting is on Tuesday at 3pm", "The meeting was moved to Thursday at 4pm",
            "When is the meeting?"
        ),
        ("I love Chinese food", "I hate Chinese food", "Do I like Chinese food?"),
        ("My address is 5 Mill Lane", "My new address is 9 Harbour Road", "What is my address?"),
        ("I drive a Honda", "I sold the Honda and bought a Tesla", "What do I drive?"),
        ("We use Slack for chat", "We switched to Teams for chat", "What do we use for chat?"),
        ("Our CI runs on CircleCI", "We migrated CI to GitHub Actions", "Where does our CI run?"),
        ("I go to Gold's gym", "I cancelled my Gold's gym membership", "Which gym do I go to?"),
        (
            "I am learning Spanish", "I stopped learning Spanish, I'm learning Italian instead",
            "Which language am I learning?"
        ),
        ("Standup is at 9:30", "Standup is now at 10:00", "When is standup?"),
        ("We have standup at 9:30", "Standup is now at 10:00", "When is standup?"),
        (
            "I take 20 mg of lisinopril", "My lisinopril dose was increased to 40 mg",
            "How much lisinopril do I take?"
        ),
        (
            "The report deadline is March 1", "The report deadline was extended to April 1",
            "When is the report deadline?"
        ),
        ("I weigh 80 kg", "I weigh 75 kg", "How much do I weigh?"),
        ("The server runs Ubuntu 20", "The server runs Ubuntu 22", "What does the server run?"),
        (
            "I think the keynote is in room A", "It turned out the keynote is in room B",
            "Where is the keynote?"
        ),
        (
            "My sister plays tennis", "My sister gave up tennis and took up golf",
            "Does my sister play tennis?"
        ),
        ("Ben drives a Volvo", "Ben sold his Volvo", "What does Ben drive?"),
        ("The office is in Bonn", "The office moved to Kiel", "Where is the office?"),
    ])
    func `the latest word on a matter comes first, and the one before it stays`(
        first: String, then: String, question: String
    ) async throws {
        let others = ["The garden needs water", "Ella plays the violin in an orchestra"]
        let found = try await answers(question, after: [first] + others + [then])
        #expect(found.first == then && found.contains(first), "\(found)")
        #expect(try await answers(question, after: [first] + others + [then], limit: 1) == [then])
        // Said in another order, the answer is another.
        #expect(try await answers(question, after: [then, first]).contains(first))
    }

    @Test(arguments: [
        (
            "We deploy with Jenkins", "We no longer deploy with Jenkins; we use GitHub Actions now",
            "How did we deploy before?"
        ),
        ("I drive a Honda", "I sold the Honda and bought a Tesla", "What did I drive then?"),
        (
            "We use Slack for chat", "We switched to Teams for chat",
            "What did we use for chat previously?"
        ),
        (
            "My phone number is 555-0100", "My new number is 555-0199",
            "What was my old phone number?"
        ),
        ("I live in Paris", "I moved to Berlin", "Where did I use to live before?"),
    ])
    func `what was is answered where it is asked for`(first: String, then: String, question: String)
        async throws
    {
        #expect(try await answers(question, after: [first, then]).first == first)
    }

    @Test(arguments: [
        (["I like tea", "I like coffee"], "Do I like tea?", "I like tea"),
        (
            ["I like Thai food", "I like the new Italian food place"], "Do I like Thai food?",
            "I like Thai food"
        ),
        (["I drive a Honda", "My brother sold his Honda"], "What do I drive?", "I drive a Honda"),
        (["Ben likes tea", "Ana no longer likes tea"], "Does Ben like tea?", "Ben likes tea"),
        (
            ["Dentist appointment on May 4 at 9", "Dentist appointment on June 8 at 10"],
            "What is on May 4?",
            "Dentist appointment on May 4 at 9"
        ),
        (
            ["I like Google Maps for hikes", "I left Google"], "Which maps do I like for hikes?",
            "I like Google Maps for hikes"
        ),
        (
            ["The cat sleeps in the kitchen", "We sold the kitchen table"],
            "Where does the cat sleep?",
            "The cat sleeps in the kitchen"
        ),
    ])
    func `what is merely similar is not taken for a change`(
        texts: [String], question: String, first: String
    )
        async throws
    {
        let found = try await answers(question, after: texts)
        #expect(found.first == first && found.count == texts.count, "\(found)")
    }

    @Test func `of several changes the last holds`() async throws {
        let texts = [
            "We use Slack for chat", "We switched to Teams for chat",
            "We switched to Matrix for chat",
        ]
        #expect(try await answers("What do we use for chat?", after: texts).first == texts[2])
        let homes = ["Lea lives in Oslo", "Lea moved to Rome", "Lea moved back to Oslo"]
        #expect(try await answers("Where does Lea live?", after: homes).first == homes[2])
    }

    @Test(arguments: [
        ("Ben works at Acme", "Ben joined Discord yesterday to play chess", "Where does Ben work?"),
        ("Ana works for Initech", "Ana joined Zoom five minutes late", "Where does Ana work?"),
        ("Tom works at Acme", "Tom joined FC Bonn as a member", "Where does Tom work?"),
        ("Eva works for Initech", "Eva joined Gold's Gym", "Where does Eva work?"),
    ])
    func `joining a club, an app or a call ends no employment`(
        first: String, then: String, question: String
    )
        async throws
    {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        for (number, text) in [first, then].enumerated() {
            try await memory.remember(
                [MemoryInput(text, eventTime: Self.day(number))], scope: Scope(user: "ana"))
        }
        #expect(
            try memory.store.list(CubeFilter(owner: Self.owner), by: .local).allSatisfy {
                $0.validUntil == nil
            })
        var request = RecallRequest(question, owner: Self.owner)
        request.now = Self.day(100)
        #expect(try await memory.recall(request).memories.first?.memory.text == first)
        await memory.close(deadline: .zero)
    }

    private func claims(_ text: String) -> [String] {
        Claims.find(in: text, words: TextAnalyzer.words(text), speaker: "Tom").map {
            "\($0.subject) | \($0.attribute) | \($0.value)"
        }
    }

    @Test(arguments: [
        ("My new phone number is 555-0199", ["tom | phone | 555-0199"]),
        ("My new number is 555-0199", ["tom | phone | 555-0199"]),
        ("My mobile number is 555-0199", ["tom | phone | 555-0199"]),
        ("My lucky number is 7", ["tom | lucky number | 7"]),
        ("My new email address is t@example.org", ["tom | email | t@example.org"]),
        ("My old phone number is 555-0100", ["tom | old phone | 555-0100"]),
        ("Ana's current boss is Ben", ["ana | boss | ben"]),
        ("Lea moved back to Oslo", ["lea | home | oslo"]),
        ("Ana joined Siemens as an engineer.", ["ana | employer | siemens"]),
        ("Ana joined Zoom as a guest", []), ("Ana joined Discord", []),
        ("Ben got a new job at Acme", ["ben | employer | acme"]),
        ("The meeting was moved to Thursday at 4pm", ["meeting | time | thursday at 4pm"]),
        (
            "My dentist appointment has been rescheduled to Friday",
            ["tom's dentist appointment | time | friday"]
        ),
        ("The call was pushed back to 4pm", ["call | time | 4pm"]),
        ("The meeting is Thursday", ["meeting | time | thursday"]),
        ("The meeting moved to Rome", ["meeting | home | rome"]),
    ])
    func `everyday words of change are claims`(text: String, expected: [String]) {
        #expect(claims(text) == expected)
    }
}
