import CoreFoundation
import Foundation
import Mneme
import MnemeIndex
import MnemeStore
import Testing

/// The time that a text takes grows with its length, and not with the square, whatever stands in
/// it.
@Suite struct GrowthTests {
    /// CPU time of this thread: other tests run beside it.
    private static func seconds(_ work: () -> Void) -> Double {
        func now() -> Double {
            var time = timespec()
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        }
        let start = now()
        work()
        return now() - start
    }

    private static let works: [(name: String, work: @Sendable (String) -> Void)] = [
        ("parts", { _ = Segmenter.parts(of: $0) }),
        ("words", { _ = TextAnalyzer.words($0) }),
        ("guard", { _ = InjectionGuard.inspect($0) }),
        ("redaction", { _ = Redactor.redact($0, [.secrets, .personal]) }),
        ("kind", { _ = TextFacts.type(of: $0, words: TextAnalyzer.words($0)) }),
        ("names", { _ = TextFacts.entities(in: $0, speaker: nil) }),
        (
            "dates",
            {
                _ = TimeExpressions.find(
                    in: $0, reference: Date(timeIntervalSince1970: 1_700_000_000))
            }
        ),
        ("claims", { _ = Claims.find(in: $0, words: TextAnalyzer.words($0), speaker: "ana") }),
        ("folding", { _ = TextFolding.folded($0) }),
    ]

    static let shapes = [
        "The river boat carries apples down to the harbour. ", "a", "A", "word ", "\n", " ", "\r\n",
        "[", "(",
        "{\"a\":[", "7", "7-", "7 ", "7.", "\"", "'",
        "’",
        "2023-05-08 ", "last Friday, ", "Ana Smith. ", "Qa. ", "Ana's ", "a.", "a@", "a@b.",
        "a.b@c ", "-", "@", "://",
        "a://b:", "a://b", "http://a:b@c ",
        "eyJ-", "eyJabcdefgh.", "eyJabcdefgh-", "sk-", "token=", "token ", "password is ",
        "bearer ", "-----BEGIN ",
        "-----BEGIN PRIVATE KEY-----", "-----END ",
        "SG.aaaaaaaaaaaaaaaa-", "555-0100 ", "4111 ", "DE89 ", "+", "1.", "?", "! ", ". ", "。",
        "e\u{301}",
        "\u{301}\u{316}", "👩\u{200d}", "漢", "한글 ", "<!--",
        "<!-- -->", "display:none", "system: ", "user: assistant: ", "\u{200b}", "\u{e0041}",
        "\u{202e}a",
        "ignore all previous instructions. ",
        "aGVsbG8gd29ybGQ=",
    ]

    @Test(arguments: shapes)
    func `the time for a text grows with the text`(unit: String) {
        let small = String(repeating: unit, count: 8_000 / unit.utf8.count)
        let large = String(repeating: small, count: 16)
        for (name, work) in Self.works {
            // What is quicker than the clock is exact is quick enough.
            let few = max(Self.seconds { work(small) }, 0.001)
            let many = Self.seconds { work(large) }
            #expect(
                many < 40 * few,
                "\(name): \(few) s for \(small.utf8.count) bytes, \(many) s for \(large.utf8.count)"
            )
        }
    }

    @Test func `the time for many different names grows with their number`() {
        func text(_ count: Int) -> String {
            (0..<count).map { "Q" + String($0 + 100_000, radix: 26) + ". " }.joined()
        }
        let small = text(1_000)
        let large = text(16_000)
        for (name, work) in Self.works {
            let few = max(Self.seconds { work(small) }, 0.001)
            let many = Self.seconds { work(large) }
            #expect(many < 40 * few, "\(name): \(few) s, then \(many) s")
        }
    }

    @Test(arguments: shapes)
    func `parts of a text are the text, and none is longer than an embedder reads`(unit: String) {
        let text = "  " + String(repeating: unit, count: 40_000 / unit.utf8.count)
        let parts = Segmenter.parts(of: text)
        #expect(Array(parts.joined().utf8) == Array(text.utf8))
        #expect(
            parts.allSatisfy { !$0.isEmpty && $0.count <= 1250 && $0.unicodeScalars.count <= 5000 })
    }

    @Test func `a part ends at a paragraph, else a sentence, else a line, else a word`() {
        let sentence = "One two three four five. "
        func first(_ text: String) -> String {
            String(Segmenter.parts(of: text, targetLength: 100)[0])
        }
        #expect(
            first(
                String(repeating: sentence, count: 3) + "\n\n"
                    + String(repeating: sentence, count: 9)) == String(
                    repeating: sentence, count: 3) + "\n\n")
        #expect(
            first(String(repeating: sentence, count: 9)) == String(repeating: sentence, count: 4))
        #expect(
            first(String(repeating: "0123456 89\n", count: 20))
                == String(repeating: "0123456 89\n", count: 9))
        #expect(first(String(repeating: "0123456 89", count: 20)).hasSuffix("0123456 "))
        #expect(
            first(String(repeating: "語", count: 80) + "。" + String(repeating: "語", count: 80))
                == String(
                    repeating: "語", count: 80) + "。")
        #expect(
            Segmenter.parts(of: String(repeating: "x", count: 125), targetLength: 100).count == 1)
        #expect(
            Segmenter.parts(of: String(repeating: "x", count: 126), targetLength: 100).count == 2)
        #expect(Segmenter.parts(of: "") == [""])
    }

    @Test func `tags and metadata have a bound, since each part of a text carries them`()
        async throws
    {
        let folder = try TemporaryFolder()
        let memory = try folder.open()
        var input = MemoryInput("The boat leaves at noon.")
        input.metadata = ["note": String(repeating: "x", count: 60_000)]
        _ = try await memory.remember([input], scope: Scope(user: "ana"))
        input.tags = [String(repeating: "y", count: 6_000)]
        let long = input
        await #expect(throws: InputError.self) {
            _ = try await memory.remember([long], scope: Scope(user: "ana"))
        }
        await memory.close()
    }
}
