import Foundation
import MnemeCube
import MnemePipeline
import MnemeRecipes
import Testing

/// Published recipes' changes of memories as time goes by, by values alone.
@Suite struct PublishedMaintainerTests {
    private static let start = Date(timeIntervalSince1970: 1_700_000_000)

    private func cube(
        _ text: String, day: Double = 0, session: String = "one", speaker: String = "Ana",
        keywords: [String] = []
    ) -> MemCube {
        let time = Self.start.addingTimeInterval(day * 86_400)
        var cube = MemCube(
            scope: Scope(user: "ana", session: session), type: .episodic, text: text,
            speaker: speaker, eventTime: time, recordedTime: time,
            provenance: Provenance(source: "message"))
        cube.keywords = keywords
        return cube
    }

    private func operations(
        _ name: String, _ memories: [MemCube], day: Double = 0, oracle: (any Oracle)? = nil,
        near: [CubeID: [Neighbour]] = [:]
    ) async throws -> [MemoryOperation] {
        let recipe = try #require(RecipeCatalog.recipe(name, over: PublishedPlanTests.base))
        let maintainer = try #require(recipe.maintainer)
        return try await maintainer.operations(
            on: memories,
            in: MaintenanceContext(
                now: Self.start.addingTimeInterval(day * 86_400), oracle: oracle,
                nearest: { id, _ in near[id] ?? [] }))
    }

    private func archived(_ operations: [MemoryOperation]) -> Set<CubeID> {
        Set(operations.compactMap { if case .archive(let id) = $0 { id } else { nil } })
    }

    private func added(_ operations: [MemoryOperation]) -> [MemCube] {
        operations.compactMap { if case .add(let cube, _) = $0 { cube } else { nil } }
    }

    @Test func `memorybank forgets what is not recalled, keeps what is, and sums days up`() async throws {
        let idle = cube("Idle")
        let young = cube("Young", day: 100)
        var used = cube("Used")
        var pinned = cube("Pinned")
        used.usage = Usage(count: 5, last: Self.start.addingTimeInterval(86_400 * 60))
        pinned.priority = 1
        let done = try await operations("memorybank", [idle, used, pinned, young], day: 120)
        #expect(archived(done) == [idle.id])
        #expect(added(done).map(\.tags) == [["memorybank/day"]])
        // Weeks of it: what is left follows the curve, and nothing comes back.
        for (day, left) in [(30.0, true), (80, true), (95, false)] {
            let gone = archived(try await operations("memorybank", [idle], day: day))
            #expect(gone.isEmpty == left, "day \(day)")
        }
    }

    @Test func `a-mem links notes with those before them, once, and what they share becomes their tags`()
        async throws
    {
        let first = cube("First", keywords: ["kiln", "clay"])
        let second = cube("Second", keywords: ["kiln", "sail"])
        let far = cube("Far")
        let near = [
            first.id: [Neighbour(second.id, similarity: 0.8)],
            second.id: [Neighbour(first.id, similarity: 0.8), Neighbour(far.id, similarity: 0.1)],
        ]
        let done = try await operations("a-mem", [first, second, far], near: near)
        var links: [[CubeID]] = []
        var tags: [CubeID: [String]] = [:]
        for operation in done {
            if case .link(let link) = operation { links.append([link.source, link.target]) }
            if case .update(let cube) = operation { tags[cube.id] = cube.tags }
        }
        #expect(links == [[second.id, first.id]])
        #expect(tags == [first.id: ["a-mem/kiln"], second.id: ["a-mem/kiln"]])
        // Notes that evolved were linked before.
        let evolved = [first, second].map { note in
            var note = note
            note.tags = ["a-mem/kiln"]
            return note
        }
        #expect(try await operations("a-mem", evolved, near: near).isEmpty)
    }

    @Test func `memgas links a memory with the near component of those before it, and none where all are alike`()
        async throws
    {
        let memories = (0..<40).map { cube("Memory \($0)", day: Double($0)) }
        let last = memories[39]
        let near = memories.dropLast().enumerated().map { place, cube in
            Neighbour(cube.id, similarity: [7, 21].contains(place) ? 0.8 : 0.2 + Double(place % 5) / 100)
        }.sorted { $0.similarity > $1.similarity }
        let done = try await operations("memgas", memories, near: [last.id: near])
        let links = done.compactMap { if case .link(let link) = $0 { [link.source, link.target] } else { nil } }
        #expect(Set(links) == [[last.id, memories[7].id], [last.id, memories[21].id]])
        // Linked once: the mark says so.
        var marked = memories
        for operation in done { if case .update(let cube) = operation { marked[39].tags = cube.tags } }
        #expect(!marked[39].tags.isEmpty)
        #expect(try await operations("memgas", marked, near: [last.id: near]).isEmpty)
        let alike = near.map { Neighbour($0.id, similarity: 0.5) }
        #expect(try await operations("memgas", memories, near: [last.id: alike]).isEmpty)
    }

    @Test func `lightmem merges at rest what one speaker said again, into the latest`() async throws {
        let early = cube("I like the sea")
        let late = cube("I really like the sea", day: 2)
        let other = cube("I like the sea", day: 1, speaker: "Tom")
        let near = Neighbour(early.id, similarity: 0.97)
        let done = try await operations(
            "lightmem", [early, other, late],
            near: [late.id: [near, Neighbour(other.id, similarity: 0.97)], other.id: [near]])
        #expect(done.count == 1)
        guard case .merge(early.id, into: late.id) = done.first else {
            Issue.record("\(done)")
            return
        }
    }

    @Test func `hema keeps one summary up to date and prunes what is old and says little`() async throws {
        let rich = (0..<110).map {
            cube("Rich \($0)", day: Double($0), keywords: ["harbour", "kiln\($0)", "sail"])
        }
        let poor = cube("Hm", day: 0)
        let done = try await operations("hema", rich + [poor], day: 110)
        #expect(archived(done).contains(poor.id) && archived(done).count == 5)
        #expect(added(done).count == 1)
        var summary = try #require(added(done).first)
        #expect(summary.tags == ["hema/compact"])
        // The same again: nothing new. Another text: the old summary leaves.
        #expect(try await added(operations("hema", rich + [summary], day: 110)).isEmpty)
        summary.text = "Out of date"
        let again = try await operations("hema", rich + [summary], day: 110)
        #expect(archived(again).contains(summary.id) && added(again).count == 1)
    }

    @Test func `h-mem sums up each conversation, by the model where there is one`() async throws {
        struct Scripted: Oracle {
            let name = "scripted"
            func answer(_ question: OracleQuestion) async throws -> String {
                #"{"summary":"\#(question.text.contains("kiln") ? "Of kilns" : "Of sails")"}"#
            }
        }
        let memories = ["kiln", "sail"].flatMap { word in
            (0..<3).map {
                cube("The \(word) number \($0)", day: Double($0), session: word, keywords: [word])
            }
        }
        func summaries(_ operations: [MemoryOperation]) -> [MemCube] {
            added(operations).filter { $0.tags.contains("h-mem/session") }
        }
        let asked = try await operations("h-mem", memories, oracle: Scripted())
        #expect(summaries(asked).map(\.text) == ["Of kilns", "Of sails"])
        #expect(summaries(asked).map(\.scope.session) == ["kiln", "sail"])
        // Below stands a trace of the three messages, with all that they say.
        let traces = added(asked).filter { $0.tags.contains("h-mem/trace") }
        #expect(traces.map(\.scope.session) == ["kiln", "sail"] && traces[0].text.contains("The kiln number 1"))
        let ruled = try await operations("h-mem", memories)
        #expect(summaries(ruled).count == 2 && summaries(ruled)[0].text.contains("The kiln number 0"))
        // A conversation that did not go on is not asked about again.
        #expect(try await operations("h-mem", memories + added(asked), oracle: Scripted()).isEmpty)
    }

    @Test func `mem1 never keeps more than its bound, and repetitions leave first`() async throws {
        let facts = (0..<180).map {
            cube("Fact \($0)", day: Double($0), keywords: ["only\($0)", "also\($0)"])
        }
        let repeated = (0..<60).map { cube("Again \($0)", day: Double($0), keywords: ["only179"]) }
        let gone = archived(try await operations("mem1", facts + repeated, day: 200))
        #expect(gone.count == 40 && gone.isSubset(of: repeated.map(\.id)))
        #expect(try await operations("mem1", facts).isEmpty)
    }
}
