import MnemeBase

/// A seeded stream of captions and questions on which errors repeat: some things look like what they are not, and some
/// questions ask for another step than it seems. Particulars around them come and go by chance.
struct ErrorStream: Sendable {
    /// Something that is seen, or asked, with what it seems and what it is.
    struct Matter: Sendable {
        /// How it is named in the caption or the question.
        var name: String
        /// What whoever does not know better takes it for, and what is right.
        var naive: String, right: String
        /// True if it deceives.
        var deceives: Bool { naive != right }
    }

    /// One caption with its question.
    struct Scene: Sendable {
        /// What is to be made out, and what is asked.
        var look: Matter, kind: Matter
        /// What stands around.
        var particulars: [String]

        /// What an agent reads.
        var text: String {
            "Picture of a \(look.name) beside a \(particulars.joined(separator: ", a ")). "
                + "The question is about \(kind.name)."
        }
    }

    /// What is played, in order.
    let scenes: [Scene]

    /// Names of what is seen, what it may be, names of what is asked, and the steps that there are.
    private static let looks = [
        "frosted ring", "bent shadow", "striped cube", "torn label", "wet patch", "bright spot", "long smear",
        "grey dome",
        "split line", "round stain", "tilted frame", "double edge",
    ]
    private static let readings = ["wheel", "plate", "window", "puddle", "crack", "button", "shade", "bowl"]
    private static let kinds = [
        "shares", "birthdays", "distances", "discounts", "mixtures", "queues", "clocks", "fences", "averages", "wages",
        "tides",
        "ladders",
    ]
    private static let steps = ["add", "subtract", "multiply", "divide", "count", "compare"]
    private static let others = [
        "chair", "table", "bottle", "book", "plant", "jacket", "bicycle", "radio", "mirror", "carpet", "pillow",
        "bucket",
        "broom", "curtain", "helmet", "guitar", "suitcase", "blanket", "stool", "vase",
    ]
    /// Matters of each list that deceive, and particulars of a scene.
    private static let deceiving = 5, around = 4

    /// - Parameters:
    ///   - count: scenes.
    ///   - seed: the same gives the same stream.
    init(count: Int, seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        func matters(_ names: [String], _ answers: [String]) -> [Matter] {
            names.shuffled(using: &generator).enumerated().map { place, name in
                let pair = answers.shuffled(using: &generator)
                return Matter(name: name, naive: pair[0], right: place < Self.deceiving ? pair[1] : pair[0])
            }
        }
        let looks = matters(Self.looks, Self.readings)
        let kinds = matters(Self.kinds, Self.steps)
        scenes = (0..<count).map { _ in
            Scene(
                look: looks.randomElement(using: &generator)!, kind: kinds.randomElement(using: &generator)!,
                particulars: Array(Self.others.shuffled(using: &generator).prefix(Self.around)))
        }
    }
}
