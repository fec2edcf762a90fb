import MnemeBase

/// Contexts of our own in SCBench's form, from a seed: one of each of its four kinds of tasks that is small enough for
/// small models. Keys are pairs of words and values five digits, where the authors' are random 36 characters.
public struct SharedContextSample: Sendable {
    /// Bytes of a context, about; a token has some four.
    public var bytes = 4096
    /// Requests of a context, and contexts of each task.
    public var turns = 5, contexts = 1
    /// The same seed makes the same.
    public var seed: UInt64 = 1

    /// The usual: contexts of some thousand tokens.
    public init() {}

    /// The tasks that it makes.
    public static let tasks: [SharedContextTask] = [.kv, .passkey, .manyShot, .mathFind, .summary]

    /// Words of names, and sentences that no request is about.
    private static let colours = [
        "amber", "azure", "black", "bronze", "copper", "coral", "crimson", "golden", "green", "grey", "ivory", "olive",
        "pearl", "purple", "scarlet", "silver", "violet", "white",
    ]
    private static let animals = [
        "badger", "beaver", "falcon", "ferret", "heron", "lizard", "magpie", "marten", "otter", "panther", "pelican",
        "raven", "salmon", "spider", "turtle", "walrus", "weasel", "zebra",
    ]
    private static let filler = [
        "The harbour was quiet that morning, and the boats lay still.",
        "A narrow road leads from the village up to the old mill.",
        "In autumn the market sells apples, nuts and dark honey.",
        "The library closes early on days when the river is high.",
        "Most of the houses by the square were built of red brick.",
        "Travellers say that the inn keeps a good fire in winter.",
        "The clock of the tower has been slow for as long as anyone knows.",
        "Children play on the meadow behind the school until it gets dark.",
    ]
    /// Things by what they are made of: many-shot's labels.
    private static let things = [
        ("metal", ["spoon", "kettle", "nail", "anvil", "coin", "wire", "bell", "key"]),
        ("plant", ["oak", "fern", "tulip", "moss", "clover", "willow", "ivy", "rose"]),
        ("cloth", ["scarf", "shirt", "towel", "curtain", "sail", "glove", "blanket", "sock"]),
    ]

    /// All contexts.
    ///
    /// - Complexity: O(bytes × contexts).
    public func records() -> [SharedContext] {
        var random = SplitMix64(seed: seed)
        return Self.tasks.flatMap { task in
            (0..<max(1, contexts)).map { number in
                var record = make(task, &random)
                record.id = "\(task.rawValue)-\(number + 1)"
                return record
            }
        }
    }

    /// One context of a task; it has no id yet.
    private func make(_ task: SharedContextTask, _ random: inout SplitMix64) -> SharedContext {
        switch task {
        case .kv: keyValues(&random)
        case .passkey: needles(&random)
        case .manyShot: manyShot(&random)
        case .mathFind: numbers(&random)
        default: summary(&random)
        }
    }

    /// Names that do not repeat.
    private static func names(_ random: inout SplitMix64) -> [String] {
        colours.flatMap { colour in animals.map { "\(colour)-\($0)" } }.shuffled(using: &random)
    }

    /// Five digits, none of them leading zeros.
    private static func number(_ random: inout SplitMix64) -> String { String(10_000 + random.next() % 90_000) }

    /// A JSON object of names and numbers; requests are spread over it.
    private func keyValues(_ random: inout SplitMix64) -> SharedContext {
        let names = Self.names(&random)
        // A pair with its marks is some 27 bytes; there are 324 names.
        let count = min(names.count, max(turns, bytes / 27))
        let pairs = names.prefix(count).map { ($0, Self.number(&random)) }
        let asked = Array(pairs.indices).shuffled(using: &random).prefix(turns)
        return SharedContext(
            id: "", context: "{" + pairs.map { "\"\($0)\": \"\($1)\"" }.joined(separator: ", ") + "}",
            turns: asked.map { place in
                SharedContextTurn(
                    "The value of the key \"\(pairs[place].0)\" is \"", answers: [pairs[place].1], task: .kv)
            })
    }

    /// Numbers of people in a text about something else, one in each part of it.
    private func needles(_ random: inout SplitMix64) -> SharedContext {
        let names = Self.names(&random).prefix(turns)
        let needles = names.map { ($0, Self.number(&random)) }
        var lines: [String] = []
        var size = 0
        while size < bytes {
            let line = Self.filler[Int(random.next() % UInt64(Self.filler.count))]
            lines.append(line)
            size += line.utf8.count + 1
        }
        // From the last to the first, so that places before do not move.
        let part = max(1, lines.count / max(1, needles.count))
        for (i, needle) in needles.enumerated().reversed() {
            let place = min(lines.count, i * part + Int(random.next() % UInt64(part)))
            lines.insert("The pass key of \(needle.0) is \(needle.1). Remember it.", at: place)
        }
        return SharedContext(
            id: "", context: lines.joined(separator: " "),
            turns: needles.shuffled(using: &random).map { needle in
                SharedContextTurn("The pass key of \(needle.0) is", answers: [needle.1], task: .passkey)
            })
    }

    /// Things with their labels; those that are asked for stand in no example of theirs with this colour.
    private func manyShot(_ random: inout SplitMix64) -> SharedContext {
        func draw(_ random: inout SplitMix64) -> (String, String) {
            let (label, things) = Self.things[Int(random.next() % UInt64(Self.things.count))]
            let thing = things[Int(random.next() % UInt64(things.count))]
            return (Self.colours[Int(random.next() % UInt64(Self.colours.count))] + " " + thing, label)
        }
        let asked = (0..<turns).map { _ in draw(&random) }
        var lines: [String] = []
        var size = 0
        while size < bytes {
            let (thing, label) = draw(&random)
            // What is asked for must be seen from others of its kind.
            guard !asked.contains(where: { $0.0 == thing }) else { continue }
            lines.append("\(thing): \(label)")
            size += lines[lines.count - 1].utf8.count + 1
        }
        return SharedContext(
            id: "", context: lines.joined(separator: "\n"),
            turns: asked.map { SharedContextTurn("\($0.0):", answers: [$0.1], task: .manyShot) })
    }

    /// A list of numbers, of which the largest, the smallest, the first and the last are asked for in turn.
    private func numbers(_ random: inout SplitMix64) -> SharedContext {
        // Four digits, a comma and a blank.
        let values = (0..<max(4, bytes / 6)).map { _ in 1000 + Int(random.next() % 9000) }
        let figures = [
            ("largest", values.max() ?? 0), ("smallest", values.min() ?? 0), ("first", values[0]),
            ("last", values[values.count - 1]),
        ]
        return SharedContext(
            id: "", context: "[" + values.map(String.init).joined(separator: ", ") + "]",
            turns: (0..<turns).map { turn in
                let (name, value) = figures[turn % figures.count]
                return SharedContextTurn(
                    "The \(name) number of the list is", answers: [String(value)], task: .mathFind)
            })
    }

    /// A report on teams among other sentences; each request asks for the work of some of them in a line each.
    private func summary(_ random: inout SplitMix64) -> SharedContext {
        let works = ["repaired the bridge", "painted the school", "planted trees", "cleaned the well", "mended nets"]
        let teams = Self.names(&random).prefix(max(turns, 2)).map { name in
            (name, works[Int(random.next() % UInt64(works.count))])
        }
        var lines: [String] = []
        var size = 0
        while size < bytes {
            lines.append(Self.filler[Int(random.next() % UInt64(Self.filler.count))])
            size += lines[lines.count - 1].utf8.count + 1
        }
        for team in teams {
            lines.insert(
                "The \(team.0) team \(team.1).", at: Int(random.next() % UInt64(lines.count + 1)))
        }
        return SharedContext(
            id: "", context: lines.joined(separator: " "),
            turns: (0..<turns).map { turn in
                let pair = [teams[turn % teams.count], teams[(turn + 1) % teams.count]]
                return SharedContextTurn(
                    "Summary of what the \(pair[0].0) team and the \(pair[1].0) team did:",
                    answers: [pair.map { "The \($0.0) team \($0.1)." }.joined(separator: " ")], task: .summary)
            })
    }
}
