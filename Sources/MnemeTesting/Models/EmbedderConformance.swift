import Foundation
public import MnemeBase

/// Requirements of every `TextEmbedder` of MnemeBase, as checks that a test runs on a model.
///
/// They hold for any weights, random ones too: nothing is asked of what the vectors mean.
public typealias EmbedderConformance = Conformance<any TextEmbedder>

extension Conformance where Subject == any TextEmbedder {
    /// Every check. They may run at the same time, on one model.
    public static var all: [Self] { shapes + batches + hostileTexts + limits }

    /// Bound on the difference of an element where the same text is embedded in other company:
    /// what is summed in another order differs in the last bits. Elements are at most 1.
    private static var rounding: Float { 1e-3 }

    /// Texts of several lengths, so that a batch has to be padded.
    private static var texts: [String] {
        [
            "Ana moved to Lisbon.", "Yes.",
            "Tom sails on Sundays, as long as the wind is fair, and comes home late.",
        ]
    }

    /// Tells whether each vector is finite, and of unit length; zero where `zero` allows it.
    private static func requireUnit(_ found: Embeddings, of texts: [String], zero: Bool = false) throws {
        try expect(found.count == texts.count, "\(found.count) vectors of \(texts.count) texts")
        for (number, text) in texts.enumerated() {
            let squares = found[number].reduce(0) { $0 + $1 * $1 }
            try expect(
                abs(squares - 1) < 1e-2 || zero && squares == 0,
                "the vector of \(text.debugDescription.prefix(40)) has the length \(squares.squareRoot())")
        }
    }

    /// Tells whether vectors are the same to rounding.
    private static func requireNear(_ a: [Float], _ b: [Float], _ about: String) throws {
        let furthest = zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) }
        try expect(a.count == b.count && furthest <= rounding, "\(about), by \(furthest)")
    }

    // MARK: Checks

    private static var shapes: [Self] {
        [
            // Vectors are kept under the identifier, in columns of text: one that is empty or cut
            // at a zero byte would be shared by two models.
            Self("it has a name, a length of vectors and a longest text") { embedder in
                try expect(!embedder.identifier.isEmpty && !embedder.identifier.utf8.contains(0))
                try expect(embedder.dimension > 0 && embedder.maximumTokens > 0)
            },
            // Finds a model that leaves out the division by the length: similarities are dot
            // products, and longer vectors would win.
            Self("each text has one vector of unit length, in order") { embedder in
                let found = try embedder.embed(texts)
                try expect(found.dimension == embedder.dimension)
                try requireUnit(found, of: texts)
                let turned = try embedder.embed(texts.reversed())
                for number in texts.indices {
                    try requireNear(
                        turned[texts.count - 1 - number], found[number], "text \(number) moved")
                }
                try expect(found[0] != found[2], "two texts have the same vector")
            },
            // Callers pass on what is left to do, which may be nothing.
            Self("no texts have no vectors") { embedder in
                let found = try embedder.embed([])
                try expect(found.count == 0 && found.dimension == embedder.dimension)
            },
            // A question's role may change its vector, never its form.
            Self("every role gives vectors of the same form") { embedder in
                for role in TextRole.allCases {
                    let found = try embedder.embed(texts, as: role)
                    try expect(found.dimension == embedder.dimension)
                    try requireUnit(found, of: texts)
                }
            },
        ]
    }

    private static var batches: [Self] {
        [
            // A vector that is made anew must equal the kept one, or an index rebuilt from the same
            // texts answers otherwise.
            Self("the same texts have the same vectors, to the bit") { embedder in
                try expect(embedder.embed(texts) == embedder.embed(texts))
            },
            // Finds padding that is not masked: a short text would change with its company.
            Self("a text has the same vector alone and in any batch") { embedder in
                let many = texts + (0..<40).map { "Note \($0): \(texts[$0 % texts.count])" }
                let found = try embedder.embed(many)
                for number in [0, 1, 2, many.count - 1] {
                    try requireNear(
                        embedder.embed([many[number]])[0], found[number], "text \(number) alone")
                }
            },
            // Finds scratch memory that two calls share.
            Self("many may ask at once") { embedder in
                let expected = try embedder.embed(texts)
                try await withThrowingTaskGroup(of: Embeddings.self) { group in
                    for _ in 0..<4 { group.addTask { try embedder.embed(texts) } }
                    for try await found in group {
                        for number in texts.indices {
                            try requireNear(found[number], expected[number], "text \(number)")
                        }
                    }
                }
            },
        ]
    }

    private static var hostileTexts: [Self] {
        [
            // What people write is anything. One text that fails would hold up all that wait.
            Self("any text has a vector of numbers") { embedder in
                let odd = [
                    "", " \t\r\n ", "a\0b", "\u{0}", "\u{301}\u{301}", "👩‍👩‍👧‍👦🏳️‍🌈",
                    "\u{202E}drow", "\u{FEFF}\u{200B}", "漢字かな交じり文", "مرحبا بالعالم",
                    "[CLS] [SEP] </s> <|endoftext|>", String(repeating: "x", count: 5_000),
                    String(repeating: "́", count: 2_000), "\u{10FFFF}",
                ]
                // A table of words has no vector where none of its words is: zero, near nothing.
                try requireUnit(embedder.embed(odd), of: odd, zero: true)
                for text in odd {
                    try expect(
                        embedder.tokenCount(text) >= 0, "tokens of \(text.debugDescription.prefix(40))")
                }
            },
            // Ids come from clients with a tokenizer of their own, which may be another model's.
            Self("ids of tokens that are not its own are refused") { embedder in
                for ids: [Int32] in [[-1], [.max], [.min, 0]] {
                    do { _ = try embedder.embed(tokens: [ids]) } catch is InputError { continue }
                    try expect(false, "the ids \(ids) were taken")
                }
            },
        ]
    }

    private static var limits: [Self] {
        [
            Self("longer texts take more tokens") { embedder in
                let one = embedder.tokenCount("Ana moved to Lisbon.")
                let two = embedder.tokenCount("Ana moved to Lisbon. Tom sails on Sundays.")
                try expect(0 < one && one < two, "\(one) and \(two) tokens")
            },
            // Finds a model that fails on, or reads beyond, its last position.
            Self("a text that is too long is cut, and has a vector") { embedder in
                // A table of vectors takes texts of any length: some thousand words show it.
                let words = min(embedder.maximumTokens, 8_192)
                let long = String(repeating: "sail ", count: words)
                let found = try embedder.embed([long, long + "home", "sail"])
                try requireUnit(found, of: ["long", "longer", "short"])
                if words == embedder.maximumTokens {
                    try requireNear(found[0], found[1], "a word behind the limit changed the vector")
                }
            },
        ]
    }
}
