import Crypto
import Foundation
import Mneme
import MnemeBench
import MnemePostgres
import MnemeStore
import Testing

/// A memory of a schema. A cold one asks the database always, another one an index.
private func memory(
    _ settings: PostgresSettings, isCold: Bool, embedder: HashedWordsEmbedder? = HashedWordsEmbedder()
) throws -> MemoryOS {
    let memory = MemoryOS(
        store: try PostgresMemoryStore(settings, analyzer: MemoryOS.analyzerVersion, auditKey: .init()),
        embedder: embedder)
    memory.setCold(above: isCold ? 0 : .max, until: .max)
    return memory
}

/// Questions of owners whose index is not in memory: the database finds the candidates.
@Suite(.enabled(if: TestServer.comparesVectors, Comment(rawValue: TestServer.unvectored)))
struct CandidateTests {
    let server: TestServer
    let owner = Owner(user: "ana")

    init() throws { server = try TestServer.shared.get() }

    private static let people = ["Tom", "Mia", "Ravi", "Lena", "Omar"]
    private static let things = [
        "guitar", "kayak", "telescope", "bakery", "marathon", "violin", "orchard", "scooter", "aquarium",
        "pottery", "sailboat", "library", "greenhouse", "chess club", "accordion", "observatory", "vineyard",
        "typewriter", "canoe", "planetarium",
    ]
    private static let deeds = ["bought", "sold", "repaired", "painted", "visited", "lost", "praised"]
    private static let cities = ["Lisbon", "Oslo", "Quito", "Kyoto", "Cairo", "Perth"]

    /// Conversations of one owner, in which every third message is small talk.
    private func fill(_ memory: MemoryOS, _ owner: Owner) async throws {
        for session in 0..<12 {
            var inputs: [MemoryInput] = []
            for i in 0..<36 {
                let n = session * 36 + i
                let (thing, deed) = (Self.things[n * 7 % 20], Self.deeds[n * 5 % 7])
                let text =
                    n % 3 == 0
                    ? "That sounds great, tell me more about it number \(n)."
                    : "I \(deed) the \(thing) in \(Self.cities[n * 11 % 6]) for \(n % 40 + 3) coins."
                var input = MemoryInput(
                    text, speaker: Self.people[n % 5],
                    eventTime: Date(timeIntervalSince1970: 1.6e9 + Double(n) * 90_000))
                input.tags = n % 4 == 0 ? ["trade"] : []
                inputs.append(input)
            }
            let agent = session % 2 == 0 ? "scribe" : nil
            _ = try await memory.remember(
                inputs, scope: Scope(user: owner.user, agent: agent, session: "talk \(session)"))
        }
        try await memory.embedPending()
    }

    private static var questions: [String] {
        things.enumerated().map { "Who \(deeds[$0.offset % 7]) the \($0.element)?" }
            + people.flatMap { person in
                ["Oslo", "Kyoto", "Perth"].map { "When did \(person) see something in \($0)?" }
            } + ["What was painted last autumn?", "How many coins for the canoe in October 2020?"]
    }

    /// The share of an index's best five that another answer has among its own.
    private func overlap(_ a: RecallResult, _ b: RecallResult) -> Double {
        let best = Set(a.memories.prefix(5).map(\.memory.id))
        let shared = best.intersection(b.memories.prefix(5).map(\.memory.id))
        return best.isEmpty ? 1 : Double(shared.count) / Double(best.count)
    }

    @Test func `what the database finds is what an index finds, with every filter`() async throws {
        let settings = try server.settings()
        let (cold, warm) = (try memory(settings, isCold: true), try memory(settings, isCold: false))
        try await fill(warm, owner)
        try await fill(warm, Owner(user: "bob"))
        var shares: [Double] = []
        for question in Self.questions {
            let request = RecallRequest(question, owner: owner)
            let (found, expected) = (try await cold.recall(request), try await warm.recall(request))
            #expect(found.source == .database && expected.source == nil)
            #expect(found.considered == 432 && found.memories.allSatisfy { $0.memory.scope.user == "ana" })
            shares.append(overlap(expected, found))
        }
        let mean = shares.reduce(0, +) / Double(shares.count)
        #expect(mean >= 0.95, "\(mean) of an index's best five")
        let filters: [(inout RecallRequest) -> Void] = [
            { $0.agent = "scribe" }, { $0.session = "talk 3" }, { $0.type = .semantic }, { $0.tag = "trade" },
            { $0.from = Date(timeIntervalSince1970: 1.62e9) }, { $0.before = Date(timeIntervalSince1970: 1.602e9) },
            { $0.at = Date(timeIntervalSince1970: 1.61e9) },
        ]
        for filter in filters {
            var request = RecallRequest("Who sold the telescope in Oslo?", owner: owner)
            filter(&request)
            let (found, expected) = (try await cold.recall(request), try await warm.recall(request))
            #expect(found.source == .database && found.memories.isEmpty == expected.memories.isEmpty)
            #expect(overlap(expected, found) >= 0.8)
        }
        // What was recorded by a time, and modes that only compare, are answered as ever.
        var request = RecallRequest("Who sold the telescope?", owner: owner)
        request.mode = .words
        #expect(try await cold.recall(request).source == nil)
        await cold.close()
        await warm.close()
    }

    @Test func `what is erased, archived, expired or above the caller is in no answer of the database`() async throws {
        let settings = try server.settings()
        let cold = try memory(settings, isCold: true)
        var texts: [MemoryInput] = ["erased", "archived", "expired", "secret", "open"].map {
            MemoryInput("The zebrafinch in the \($0) cage sings.")
        }
        texts[2].expires = Date(timeIntervalSinceNow: -60)
        texts[3].sensitivity = .restricted
        let ids = try await cold.remember(texts, scope: Scope(user: "ana")).map(\.id)
        try await cold.embedPending()
        try await cold.erase(ids[0], owner: owner)
        try cold.store.commit([.archive(ids[1])], owner: owner, by: admin)
        let question = RecallRequest("Where does the zebrafinch sing?", owner: owner)
        let all = try await cold.recall(question)
        #expect(all.source == .database && Set(all.memories.map(\.memory.id)) == [ids[3], ids[4]])
        let reader = Caller(
            Principal(name: "reader", permissions: [.read], user: "ana", clearance: .internal))
        let some = try await cold.recall(question, by: reader)
        #expect(some.source == .database && some.memories.map(\.memory.id) == [ids[4]] && some.considered == 3)
        let stranger = Caller(Principal(name: "bob", permissions: [.read], user: "bob"))
        await #expect(throws: AccessError.self) { try await cold.recall(question, by: stranger) }
        // No table holds the word of what was erased, nor its vector.
        let connection = try PGConnection(settings)
        try connection.run("BEGIN")
        try connection.run("SELECT set_config('mneme.owner', '*', true)")
        for table in try connection.texts("SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()") {
            #expect(
                try connection.texts("SELECT 1::text FROM \"\(table)\" AS t WHERE t::text LIKE '%erased cage%'").isEmpty
            )
        }
        #expect(try connection.texts("SELECT count(half)::text FROM vector") == ["4"])
        // Halves of another owner are not in sight.
        try connection.run("SELECT set_config('mneme.owner', '0', true)")
        #expect(try connection.texts("SELECT count(half)::text FROM vector") == ["0"])
        try connection.run("ROLLBACK")
        try connection.sync()
        await cold.close()
    }

    @Test func `what holds now comes before what it supersedes, and the past is still asked for`() async throws {
        let cold = try memory(server.settings(), isCold: true)
        let (before, after) = (Date(timeIntervalSince1970: 1.7e9), Date(timeIntervalSince1970: 1.76e9))
        _ = try await cold.remember(
            [
                MemoryInput("Ana lives in Paris.", eventTime: before),
                MemoryInput("Ana moved to Berlin.", eventTime: after),
                MemoryInput("Tom lives in Oslo.", eventTime: after),
            ], scope: Scope(user: "ana"))
        try await cold.embedPending()
        var request = RecallRequest("Where does Ana live?", owner: owner)
        let now = try await cold.recall(request)
        #expect(now.source == .database && now.memories.first?.memory.text == "Ana moved to Berlin.")
        request.at = Date(timeIntervalSince1970: 1.71e9)
        let then = try await cold.recall(request)
        #expect(then.source == .database && then.memories.map(\.memory.text) == ["Ana lives in Paris."])
        await cold.close()
    }

    @Test func `a vector that an older server has written is prepared before the database compares`() async throws {
        let settings = try server.settings()
        let cold = try memory(settings, isCold: true)
        _ = try await cold.remember(
            [MemoryInput("The kayak is red."), MemoryInput("The bakery opens at six.")], scope: Scope(user: "ana"))
        try await cold.embedPending()
        let request = RecallRequest("Which colour has the kayak?", owner: owner)
        #expect(try await cold.recall(request).source == .database)
        // As a server does that knows of no halves.
        let connection = try PGConnection(settings)
        try connection.run("BEGIN")
        try connection.run("SELECT set_config('mneme.owner', '*', true)")
        try connection.run("UPDATE vector SET position = position + 1000")
        try connection.run("COMMIT")
        try connection.sync()
        let store = try #require(cold.store as? any CandidateStore)
        #expect(try !store.comparesVectors(of: owner, embedder: "e"))
        #expect(try store.prepareVectors(limit: 1) == 1 && !store.comparesVectors(of: owner, embedder: "e"))
        let answer = try await cold.recall(request)
        #expect(answer.source == nil && answer.memories.first?.memory.text == "The kayak is red.")
        #expect(try store.prepareVectors(limit: 10) == 1 && store.prepareVectors(limit: 10) == 0)
        #expect(try store.comparesVectors(of: owner, embedder: "e"))
        await cold.close()
    }

    @Test func `an owner who is asked often gets an index`() async throws {
        let memory = try memory(server.settings(), isCold: true)
        memory.setCold(above: 0, until: 3)
        _ = try await memory.remember([MemoryInput("The kayak is red.")], scope: Scope(user: "ana"))
        try await memory.embedPending()
        let request = RecallRequest("Which colour has the kayak?", owner: owner)
        var sources: [RecallSource?] = []
        for _ in 0..<3 { sources.append(try await memory.recall(request).source) }
        #expect(sources == [.database, .database, .database])
        var answer = try await memory.recall(request)
        for _ in 0..<200 where answer.source != nil {
            try await Task.sleep(for: .milliseconds(20))
            answer = try await memory.recall(request)
        }
        #expect(answer.source == nil && answer.memories.count == 1)
        await memory.close()
    }
}

/// The same in a database without pgvector.
@Suite(.enabled(if: TestServer.isThere, Comment(rawValue: TestServer.missing)))
struct PlainCandidateTests {
    @Test(.enabled(if: ProcessInfo.processInfo.environment["MNEME_TEST_POSTGRES"] == nil))
    func `a database without pgvector finds words, and leaves vectors to an index`() async throws {
        let server = try TestServer.shared.get()
        let settings = try PostgresSettings(
            server.url.dropLast("mneme".count) + "plain?mneme_schema=" + TestServer.schema())
        let (both, words) = (
            try memory(settings, isCold: true), try memory(settings, isCold: true, embedder: nil)
        )
        _ = try await both.remember(
            [MemoryInput("The kayak is red."), MemoryInput("The bakery opens at six.")], scope: Scope(user: "ana"))
        try await both.embedPending()
        let request = RecallRequest("Which colour has the kayak?", owner: Owner(user: "ana"))
        for memory in [both, words] {
            let answer = try await memory.recall(request)
            #expect(answer.source == (memory === words ? .database : nil))
            #expect(answer.memories.first?.memory.text == "The kayak is red.")
            await memory.close()
        }
    }
}
