import Foundation
import MnemeBase
import MnemeCache
import MnemeSeal
import MnemeStore
import NIOConcurrencyHelpers
import Testing

/// Vectors by the letters of a text, so that questions with nearly the same letters lie close.
/// Counts what it was asked.
final class LetterEmbedder: TextEmbedder {
    let identifier = "letters", dimension = 26, maximumTokens = 1_000
    private let asked = NIOLockedValueBox(0)
    var count: Int { asked.withLockedValue { $0 } }
    func embed(_ texts: [String]) throws -> Embeddings {
        asked.withLockedValue { $0 += texts.count }
        return Embeddings(
            dimension: 26,
            values: texts.flatMap { text -> [Float] in
                var counts = [Float](repeating: 0.01, count: 26)
                for byte in text.lowercased().utf8 where (97...122).contains(byte) {
                    counts[Int(byte) - 97] += 1
                }
                let length = counts.reduce(0) { $0 + $1 * $1 }.squareRoot()
                return counts.map { $0 / length }
            })
    }
    func tokenCount(_ text: String) -> Int { text.utf8.count }
}

/// Runs `body` with a cache in a folder of its own.
func withCache(
    key: EncryptionKey? = nil, _ body: (_ cache: AnswerCache, _ path: String) throws -> Void
) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
        "mneme-cache-\(UUID().uuidString)"
    ).path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let path = folder + "/cache.db"
    try body(try AnswerCache(path: path, key: key, embedder: LetterEmbedder()), path)
}

/// A request's key, with one question, for one principal.
func key(
    _ question: String, by principal: String = "ana", before: String = "", settings: String = ""
) throws -> CacheKey {
    let text = String(decoding: try JSONEncoder().encode(question), as: UTF8.self)
    let body = #"{"model":"m"\#(settings),"messages":[\#(before){"role":"user","content":\#(text)}]}"#
    return try ChatRequest(Data(body.utf8)).key(for: .init(name: principal, parts: [principal]))
}

@Suite struct AnswerCacheTests {
    private let vienna = #"{"choices":[{"message":{"content":"Vienna"}}]}"#
    private let capital = "What is the capital of Austria?"
    private let start = Date(timeIntervalSince1970: 1_700_000_000)

    @Test func `the same question and one in other words get the answer, a near miss does not`() throws {
        try withCache { cache, _ in
            #expect(try cache.find(key(capital)).match == .miss)
            #expect(try cache.store(vienna, for: key(capital)))
            let same = try cache.find(key(capital))
            #expect(same.match == .exact && same.entry?.answer == vienna && same.similarity == 1)
            let similar = try cache.find(key("Please tell me, what's the capital of Austria"))
            #expect(similar.match == .similar && similar.entry?.question == capital)
            #expect(similar.similarity < 1 && similar.similarity > 0.5)
            for other in [
                "What is the capital of Australia?", "What was the capital of Austria?",
                "What isn't the capital of Austria?", "Who is the capital of Austria?",
            ] {
                #expect(try cache.find(key(other)).match == .miss, "\(other)")
            }
        }
    }

    @Test func `principals, models, settings and conversations never share an answer`() throws {
        try withCache { cache, _ in
            try cache.store(vienna, for: key(capital))
            let turn = #"{"role":"user","content":"hi"},{"role":"assistant","content":"hello"},"#
            let others = try [
                key(capital, by: "ben"), key(capital, by: "an"), key(capital, by: "ana\u{0}"),
                key(capital, before: turn),
                key(capital, before: #"{"role":"system","content":"Answer in German."},"#),
                key(capital, settings: #","max_tokens":1"#), key(capital, settings: #","seed":1"#),
                key(capital, settings: #","stop":["a"]"#), key(capital, settings: #","user":"eve""#),
                key(capital, settings: #","safety_identifier":"eve""#),
            ]
            for other in others { #expect(try cache.find(other).match == .miss) }
            for (place, other) in others.enumerated() { try cache.store("\(place)", for: other) }
            for (place, other) in others.enumerated() {
                #expect(try cache.find(other).entry?.answer == "\(place)")
            }
            #expect(try cache.find(key(capital)).entry?.answer == vienna)
            // How an answer is sent does not matter, nor the order of members.
            let streamed = try key(capital, settings: #","stream":true,"metadata":{"a":"b"}"#)
            #expect(try cache.find(streamed).match == .exact)
        }
    }

    @Test func `parts of an identity cannot be shifted into each other`() {
        let a = CacheKey.Scope(name: "x", parts: ["a", "bc"])
        #expect(a.identity != CacheKey.Scope(name: "x", parts: ["ab", "c"]).identity)
        #expect(a.identity != CacheKey.Scope(name: "x", parts: ["abc"]).identity)
        #expect(a.identity != CacheKey.Scope(name: "x", parts: ["a", "bc", ""]).identity)
    }

    @Test func `what makes an answer not reusable is told`() throws {
        func obstacle(_ members: String, messages: String = #"{"role":"user","content":"q"}"#) throws
            -> ChatRequest.Obstacle?
        {
            try ChatRequest(Data(#"{"model":"m"\#(members),"messages":[\#(messages)]}"#.utf8)).obstacle
        }
        #expect(try obstacle("") == nil)
        #expect(try obstacle(#","temperature":0"#) == nil)
        #expect(try obstacle(#","temperature":0.1"#) == .temperature)
        #expect(try obstacle(#","n":2"#) == .answers)
        #expect(try obstacle(#","memory":{}"#) == .lookup)
        #expect(try obstacle(#","memory":false"#) == nil)
        let image = #"{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}"#
        #expect(try obstacle("", messages: image) == .media)
        #expect(try obstacle("", messages: image + #",{"role":"user","content":"q"}"#) == .media)
        #expect(try obstacle("", messages: #"{"role":"assistant","content":"q"}"#) == .conversation)
        #expect(try obstacle("", messages: "") == .conversation)
        for body in ["", "{", "[]", "{}", #"{"model":1,"messages":[]}"#, #"{"model":"m"}"#] {
            #expect(throws: InputError.self) { try ChatRequest(Data(body.utf8)) }
        }
    }

    @Test func `requests with tools or a schema are answered by the same question alone`() throws {
        try withCache { cache, _ in
            let tools = #","tools":[{"type":"function","function":{"name":"f"}}]"#
            try cache.store(vienna, for: key(capital, settings: tools))
            #expect(try cache.find(key(capital, settings: tools)).match == .exact)
            #expect(try cache.find(key("what's the capital of Austria", settings: tools)).match == .miss)
        }
    }

    @Test func `answers grow old by their category, and by what a client says`() throws {
        try withCache { cache, _ in
            let weather = "What is the weather in Berlin today?"
            try cache.store("rain", for: key(weather), now: start)
            try cache.store(vienna, for: key(capital), now: start)
            let later = start.addingTimeInterval(400)
            #expect(try cache.find(key(weather), now: start.addingTimeInterval(299)).match == .exact)
            #expect(try cache.find(key(weather), now: later).match == .miss)
            #expect(try cache.find(key("weather in Berlin today"), now: later).match == .miss)
            #expect(try cache.find(key(capital), now: later).match == .exact)
            let fresh = CacheDirectives("max-age=60")
            #expect(try cache.find(key(capital), fresh, now: later).match == .miss)
            #expect(try cache.find(key(capital), CacheDirectives("no-cache"), now: later).match == .miss)
            try cache.store("sun", for: key(weather), now: later)
            #expect(try cache.find(key(weather), now: later).entry?.answer == "sun")
            #expect(try cache.entries().count == 2)
        }
    }

    @Test func `a category keeps what its quota allows, the last used`() throws {
        try withCache { cache, _ in
            var policy = CachePolicy.standard(.fact)
            policy.quota = 3
            try cache.set(policy, for: .fact)
            for i in 0..<3 { try cache.store("\(i)", for: key("Who is person \(i)?"), now: start + Double(i)) }
            #expect(try cache.find(key("Who is person 0?"), now: start + 10).match == .exact)
            try cache.flush()
            try cache.store("3", for: key("Who is person 3?"), now: start + 20)
            try cache.store("b", for: key("Who is person 0?", by: "ben"), now: start + 21)
            let kept = try cache.entries().map(\.answer)
            #expect(Set(kept) == ["0", "2", "3", "b"])
            #expect(try cache.find(key("who's person 1"), now: start + 22).match == .miss)
        }
    }

    @Test func `policies: off keeps nothing, exact finds the same alone, example shows the near`() throws {
        try withCache { cache, _ in
            let other = "What is the capital of Australia?"
            for reuse in CachePolicy.Reuse.allCases {
                var policy = CachePolicy.standard(.fact)
                policy.reuse = reuse
                if reuse == .example { policy.threshold = 0 }
                try cache.set(policy, for: .fact)
                #expect(try cache.store(vienna, for: key(capital)) == (reuse != .off))
                #expect(try cache.find(key(capital)).match == (reuse == .off ? .miss : .exact))
                let expected: [CachePolicy.Reuse: CacheFinding.Match] = [
                    .verbatim: .miss, .example: .example, .exact: .miss, .off: .miss,
                ]
                #expect(try cache.find(key(other)).match == expected[reuse])
                _ = try cache.erase(CacheSelection())
            }
            #expect(throws: InputError.self) { try CachePolicy(threshold: 2, timeToLive: 1, quota: 1) }
            #expect(throws: InputError.self) { try CachePolicy(threshold: .nan, timeToLive: 1, quota: 1) }
            #expect(throws: InputError.self) { try CachePolicy(threshold: 1, timeToLive: -1, quota: 1) }
            try cache.set(nil, for: .fact)
            #expect(try cache.policies() == CachePolicies())
        }
    }

    @Test func `answers outlive the process, and what is erased is in no file`() throws {
        try withCache { cache, path in
            try cache.store("A secret answer", for: key("Where is the treasure?"))
            try cache.store(vienna, for: key(capital))
            try cache.close()
            let second = try AnswerCache(path: path, embedder: LetterEmbedder())
            #expect(try second.find(key("what's the capital of austria")).match == .similar)
            var selection = CacheSelection()
            selection.text = "TREASURE"
            #expect(try second.erase(selection) == 1)
            #expect(try second.find(key("Where is the treasure?")).match == .miss)
            #expect(try second.find(key("where's the treasure")).match == .miss)
            for suffix in ["", "-wal"] {
                let bytes = FileManager.default.contents(atPath: path + suffix) ?? Data()
                #expect(bytes.range(of: Data("secret answer".utf8)) == nil)
                #expect(bytes.range(of: Data("treasure".utf8)) == nil)
            }
            try second.close()
        }
    }

    @Test func `another process's answers, erasures and policies are seen`() throws {
        try withCache { cache, path in
            let other = try AnswerCache(path: path, embedder: LetterEmbedder())
            #expect(try cache.find(key("what's the capital of Austria")).match == .miss)
            try other.store(vienna, for: key(capital))
            #expect(try cache.find(key("what's the capital of Austria")).match == .similar)
            _ = try other.erase(CacheSelection())
            #expect(try cache.find(key("what's the capital of Austria")).match == .miss)
            var policy = CachePolicy.standard(.fact)
            policy.reuse = .off
            try other.set(policy, for: .fact)
            #expect(try cache.store(vienna, for: key(capital)) == false)
        }
    }

    @Test func `with a key the file is encrypted, and opens with no other`() throws {
        let secret = EncryptionKey()
        try withCache(key: secret) { cache, path in
            try cache.store("A secret answer", for: key(capital))
            try cache.close()
            let bytes = try #require(FileManager.default.contents(atPath: path))
            #expect(bytes.range(of: Data("secret answer".utf8)) == nil)
            #expect(throws: SealError.self) { try AnswerCache(path: path) }
            #expect(throws: SealError.self) { try AnswerCache(path: path, key: EncryptionKey()) }
            let second = try AnswerCache(path: path, key: secret)
            #expect(try second.find(key(capital)).entry?.answer == "A secret answer")
            try second.close()
            try SQLiteMemoryStore.rewrite(path, from: secret, to: nil)
            #expect(try AnswerCache(path: path).find(key(capital)).match == .exact)
        }
    }

    @Test func `a memory store is no cache, and a cache no memory store`() throws {
        try withCache { cache, path in
            try cache.close()
            #expect(throws: StoreError.self) { try SQLiteMemoryStore(path: path, analyzer: "x") }
            let store = path + ".store"
            try SQLiteMemoryStore(path: store, analyzer: "x").close()
            #expect(throws: StoreError.self) { try AnswerCache(path: store) }
            try Data("no database".utf8).write(to: URL(fileURLWithPath: path + ".text"))
            #expect(throws: StoreError.self) { try AnswerCache(path: path + ".text") }
        }
    }

    @Test func `what came of questions is counted by category`() throws {
        try withCache { cache, _ in
            _ = try cache.find(key(capital))
            try cache.store(vienna, for: key(capital))
            _ = try cache.find(key(capital))
            _ = try cache.find(key("what's the capital of Austria"))
            let fact = try #require(try cache.statistics().first { $0.category == .fact })
            #expect((fact.exact, fact.similar, fact.misses, fact.answers) == (1, 1, 1, 1))
            #expect(fact.bytes == capital.utf8.count + vienna.utf8.count)
            #expect(abs(fact.hitRate - 2 / 3) < 1e-9)
            let entry = try #require(try cache.entries().first)
            #expect(entry.hits == 2 && entry.principal == "ana" && entry.model == "m")
            #expect(try cache.entry(entry.id) == entry)
            #expect(try cache.erase(entry.id) && !cache.erase(entry.id))
        }
    }

    @Test func `no vector is made for the same question, and only one for a miss`() throws {
        let embedder = LetterEmbedder()
        try withCache { _, path in
            let cache = try AnswerCache(path: path, embedder: embedder)
            let finding = try cache.find(key(capital))
            try cache.store(vienna, for: key(capital), vector: finding.vector)
            #expect(embedder.count == 1)
            _ = try cache.find(key(capital))
            #expect(embedder.count == 1)
        }
    }

    @Test func `categories follow from words`() {
        let expected: [(String, QuestionCategory)] = [
            ("What is the weather in Rome?", .live), ("Apple stock price", .live),
            ("How do I reverse a list in Python?", .code), ("What does `x` do?", .code),
            ("What is my name?", .personal), ("What is 5 km in miles?", .math),
            ("Write a poem about spring", .task), ("Who wrote Hamlet?", .fact),
        ]
        for (question, category) in expected {
            #expect(QuestionCategory(of: question) == category, "\(question)")
        }
    }
}

@Suite struct SingleFlightTests {
    @Test func `one asks, the others wait and go on with its answer, or alone without one`() async throws {
        let flight = SingleFlight()
        let name = Data("q".utf8)
        #expect(await flight.isFirst(name))
        #expect(await !flight.isFirst(name))
        let waiting = (0..<5).map { _ in Task { await flight.wait(for: name) } }
        let cancelled = Task { await flight.wait(for: name) }
        cancelled.cancel()
        #expect(await cancelled.value == false)
        await flight.finish(name, kept: true)
        for task in waiting { #expect(await task.value) }
        #expect(await flight.isFirst(name))
        await flight.finish(name, kept: false)
    }
}
