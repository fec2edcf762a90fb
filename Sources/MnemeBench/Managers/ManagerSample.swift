public import Foundation
public import Mneme
import MnemeBase

/// Made conversations for training managers of memory: what changes, what is said again, what is taken back, what is alike
/// and not the same, what holds for long of a person, what happened when, and talk.
///
/// Every second conversation says it in other words, so that a manager trained on the one wording can be judged on the
/// other. The same seed makes the same conversations.
public enum ManagerSample {
    /// The words that a conversation is made of; two wordings have none in common but names.
    private struct Wording: Sendable {
        /// Says, changes, says again, takes back and asks for a thing's value: `%k` is the thing, `%v` the value.
        var says: String, changes: [String], repeats: String, retracts: String, asks: String
        /// Two things of one kind, as kind, two of them, and their places.
        var pairs: [(kind: String, which: [String], places: [String])]
        /// Of a person, and a question that shares few words with it.
        var lasting: [(said: String, asked: String)]
        /// Events by weekday: `%d` is the day, `%n` the number.
        var event: String, eventAsked: String
        /// What means nothing.
        var talk: [String]
        var things: [(name: String, values: [String])]
    }

    private static let wordings = [
        Wording(
            says: "The %k is %v.", changes: ["The %k is %v now.", "From today the %k is %v instead."],
            repeats: "As I said, the %k is %v.", retracts: "Forget the %k, that is cancelled.",
            asks: "What is the %k?",
            pairs: [
                ("bicycle", ["blue", "red"], ["in the cellar", "in the garage"]),
                ("key", ["brass", "silver"], ["under the fern", "behind the clock"]),
                ("suitcase", ["small", "large"], ["in the attic", "at the office"]),
            ],
            lasting: [
                ("I am allergic to walnuts.", "Which ingredient must be left out of a cake for the party?"),
                ("I am vegetarian and never eat meat.", "What should a host serve for dinner?"),
                ("I can't climb stairs since my knee broke.", "Which flat would fit, on which floor?"),
                ("I was born deaf in one ear.", "On which side should one sit at the concert?"),
            ],
            event: "On %d I ran %n km along the river.", eventAsked: "How far was the run on %d?",
            talk: [
                "The cake at the office party was dry.", "What a dinner that was, we laughed for hours.",
                "The concert hall smelled of paint.", "It rained on the way home again.",
                "Our neighbour painted the stairs.",
                "I ate too much bread at lunch.", "The market was full of people.", "My tea went cold during the call.",
            ],
            things: [
                ("gate code", ["4411", "7302", "9925"]), ("meeting room", ["Oslo", "Porto", "Turin"]),
                ("choir rehearsal", ["at six", "at eight", "at half past seven"]),
                ("deadline of the mural", ["in March", "in May", "in July"]),
                ("ferry to the island", ["line 4", "line 9", "line 12"]),
            ]),
        Wording(
            says: "Our %k: %v, just so you know.",
            changes: ["They changed our %k to %v.", "We switched our %k to %v."],
            repeats: "Our %k: %v, remember.", retracts: "Scratch our %k, it was called off.",
            asks: "Which %k do we have?",
            pairs: [
                ("tent", ["green", "grey"], ["lent to Mira", "dries on the balcony"]),
                ("drill", ["cordless", "heavy"], ["stands at the workshop", "waits for repair"]),
                ("guitar", ["old", "spanish"], ["went to the luthier", "hangs by the window"]),
            ],
            lasting: [
                (
                    "My body cannot take milk, I was always lactose intolerant.",
                    "What may not be poured into the coffee?"
                ),
                ("I never fly, I am afraid of planes.", "How would a trip to Madrid have to be booked?"),
                ("I am diabetic.", "Which dessert is safe?"),
                ("I am colour blind, I can't tell red from green.", "Which chart should the slides avoid?"),
            ],
            event: "We swam %n lengths %d evening.", eventAsked: "How many lengths did the swim %d evening have?",
            talk: [
                "Somebody spilled coffee over the slides.", "Madrid was in the news again.",
                "The dessert menu is in French.",
                "A pigeon sat in the kitchen.", "Traffic was slow all week.", "The lift hums in E flat.",
                "There were planes over the lake.", "A long queue stood before the bakery.",
            ],
            things: [
                ("alarm password", ["heron", "marble", "cinder"]), ("parking level", ["two", "five", "six"]),
                ("dentist visit", ["Tuesday noon", "Friday morning", "Monday evening"]),
                ("supplier of flour", ["Kessler", "Brandt", "Almquist"]),
                ("release name", ["Walrus", "Ibis", "Gecko"]),
            ]),
    ]
    private static let people = ["Ana", "Tom", "Nora", "Ivo", "Lena", "Milo"]
    private static let days = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]

    /// Conversations in the form of LoCoMo, with questions of category 4.
    ///
    /// - Complexity: O(count).
    public static func conversations(_ count: Int, seed: UInt64 = 1) throws -> [LocomoConversation] {
        try LocomoConversation.read(try file(count, seed: seed))
    }

    /// The same as a file of LoCoMo's form.
    ///
    /// - Parameters:
    ///   - count: conversations.
    ///   - seed: the same one makes the same file.
    ///   - isOfPersons: asks for what holds for long of a person alone, of which there is twice as much then.
    public static func file(_ count: Int, seed: UInt64 = 1, isOfPersons: Bool = false) throws -> Data {
        let list = (0..<count).map { number -> [String: Any] in
            var random = SplitMix64(seed: SplitMix64.mixed(seed &* 1_000_003 &+ UInt64(number)))
            return entry(number, wordings[number % wordings.count], isOfPersons, &random)
        }
        return try JSONSerialization.data(withJSONObject: list, options: .sortedKeys)
    }

    /// Six sessions: each matter has its lines in order, with talk between.
    private static func entry(
        _ number: Int, _ wording: Wording, _ isOfPersons: Bool, _ random: inout SplitMix64
    ) -> [String: Any] {
        var sessions = [[String]](repeating: [], count: 6)
        var questions: [(text: String, answers: [String])] = []
        func fill(_ form: String, _ name: String, _ value: String) -> String {
            form.replacingOccurrences(of: "%k", with: name).replacingOccurrences(of: "%v", with: value)
        }
        for (place, thing) in wording.things.shuffled(using: &random).enumerated() {
            let values = thing.values.shuffled(using: &random)
            let ask = fill(wording.asks, thing.name, "")
            let first = fill(wording.says, thing.name, values[0])
            sessions[Int.random(in: 0...1, using: &random)].append(first)
            switch place {
            // Said, changed once or twice.
            case 0, 1, 2:
                let change = wording.changes.randomElement(using: &random) ?? ""
                var last = fill(change, thing.name, values[1])
                sessions[Int.random(in: 2...3, using: &random)].append(last)
                if place == 0 {
                    last = fill(change, thing.name, values[2])
                    sessions[Int.random(in: 4...5, using: &random)].append(last)
                }
                questions.append((ask, [last]))
            // Said again: either will do.
            case 3:
                let again = fill(wording.repeats, thing.name, values[0])
                sessions[Int.random(in: 2...5, using: &random)].append(again)
                questions.append((ask, [first, again]))
            // Taken back, and not asked for.
            default: sessions[Int.random(in: 2...5, using: &random)].append(fill(wording.retracts, thing.name, ""))
            }
        }
        for pair in wording.pairs.shuffled(using: &random).prefix(2) {
            for (which, place) in zip(pair.which, pair.places) {
                let line = "The \(which) \(pair.kind) is \(place)."
                sessions[Int.random(in: 0...5, using: &random)].append(line)
                questions.append(("Where is the \(which) \(pair.kind)?", [line]))
            }
        }
        if isOfPersons { questions = [] }
        for item in wording.lasting.shuffled(using: &random).prefix(isOfPersons ? 4 : 2) {
            sessions[Int.random(in: 0...2, using: &random)].append(item.said)
            questions.append((item.asked, [item.said]))
        }
        for (place, day) in days.shuffled(using: &random).prefix(4).enumerated() {
            func filled(_ form: String) -> String {
                form.replacingOccurrences(of: "%d", with: day)
                    .replacingOccurrences(of: "%n", with: "\(5 + 3 * place + number % 3)")
            }
            sessions[place + 1].append(filled(wording.event))
            if !isOfPersons { questions.append((filled(wording.eventAsked), [filled(wording.event)])) }
        }
        for place in sessions.indices {
            sessions[place] = sessions[place].shuffled(using: &random)
            for line in wording.talk.shuffled(using: &random).prefix(4) {
                sessions[place].insert(line, at: Int.random(in: 0...sessions[place].count, using: &random))
            }
        }
        return file(number, sessions, questions, speakers: people.shuffled(using: &random))
    }

    private static func file(
        _ number: Int, _ sessions: [[String]], _ questions: [(text: String, answers: [String])], speakers: [String]
    ) -> [String: Any] {
        var conversation: [String: Any] = [:]
        var ids: [String: [String]] = [:]
        for (session, lines) in sessions.enumerated() {
            conversation["session_\(session + 1)_date_time"] = "1:56 pm on \(3 + 4 * session) May, 2023"
            conversation["session_\(session + 1)"] = lines.enumerated().map { place, text in
                let id = "D\(session + 1):\(place + 1)"
                ids[text, default: []].append(id)
                return ["speaker": speakers[0], "text": text, "dia_id": id]
            }
        }
        let asked = questions.map { question in
            [
                "question": question.text, "category": 4, "evidence": question.answers.flatMap { ids[$0] ?? [] },
            ] as [String: Any]
        }
        return ["sample_id": "made-\(number)", "conversation": conversation, "qa": asked]
    }
}
