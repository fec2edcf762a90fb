import Foundation
import Mneme
public import MnemeBase
import MnemeStore

/// Measures the guard: how many attacks reach an answer, and how many honest memories do not, without
/// the guard, with rules on single texts, with consensus, and with lessons.
///
/// Each group of the file is a user's store. An attack succeeds if it is among the first ten memories
/// for its question. An honest text is held if it is among them without the guard and not with it.
/// Where a document is around an attack, the document may reach it, and the sentence that was put into it may not.
/// For the lessons every second attack of a kind that got through is reported (quarantined by hand),
/// every honest text that was held is released, and the other attacks are asked for again.
public struct GuardEvaluation: Sendable {
    /// The results for one kind of text.
    public struct Row: Sendable, Codable, Equatable {
        /// The kind, and its label.
        public var kind: String, label: String
        /// Texts of this kind.
        public var texts: Int
        /// Texts that reached their answer without the guard, with rules alone, and with consensus.
        public var without = 0, rules = 0, consensus = 0
        /// Of those with consensus, texts that were marked as disputed; and texts of which a sentence was held.
        public var disputed = 0, cut = 0
        /// Texts that were neither reported nor released, and those of them that reached their answer
        /// with consensus and with lessons.
        public var open = 0, openConsensus = 0, openLessons = 0

        /// A row without texts.
        public init(kind: String, label: String) {
            (self.kind, self.label, texts) = (kind, label, 0)
        }
    }

    private let cases: [GuardCase]
    private let embedder: (any TextEmbedder)?

    /// An evaluation of some texts.
    ///
    /// - Parameter embedder: nil has recall go by words.
    public init(_ cases: [GuardCase], embedder: (any TextEmbedder)?) {
        self.cases = cases
        self.embedder = embedder.map { RememberedEmbedder($0) }
    }

    /// The state of one text.
    private struct Outcome {
        var without = false, isQuarantined = false, rules = false, consensus = false, lessons = false
        var isDisputed = false, isCut = false, isTaught = false
    }

    /// Stores all texts twice, without and with the guard, and asks every question.
    ///
    /// - Parameter progress: done and total.
    /// - Returns: a row for each kind, the honest ones first.
    /// - Throws: `StoreError`, `InputError` for a text that no memory holds, `ModelError`.
    public func run(progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void) async throws -> [Row] {
        let folder = NSTemporaryDirectory() + "mneme-guard-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let store = try SQLiteMemoryStore(path: folder + "/store.db", analyzer: MemoryOS.analyzerVersion)
        let memory = MemoryOS(store: store, embedder: embedder)
        try store.setPolicy(MemoryPolicy(protection: .off), tenant: "off", by: .local)
        var outcomes = [Outcome](repeating: Outcome(), count: cases.count)
        let total = cases.count * 3
        _ = try await remember("off", memory)
        for place in cases.indices {
            outcomes[place].without = try await answer(place, "off", memory) != nil
            if place % 32 == 0 { progress(place, total) }
        }
        let made = try await remember("on", memory)
        for place in cases.indices {
            let parts = made[place].map(\.memory)
            let told = parts.filter { cases[place].isTold(by: $0.text) }
            outcomes[place].isQuarantined = !parts.isEmpty && told.allSatisfy { $0.state == .quarantined }
            outcomes[place].isCut = parts.contains { $0.state == .quarantined } && !outcomes[place].isQuarantined
            let found = try await answer(place, "on", memory)
            outcomes[place].consensus = found != nil
            outcomes[place].isDisputed = found?.disputedBy != nil
            // Rules alone keep out what they quarantine, and nothing else.
            outcomes[place].rules = outcomes[place].without && !outcomes[place].isQuarantined
            if place % 32 == 0 { progress(cases.count + place, total) }
        }
        try await teach(&outcomes, made, memory)
        for place in cases.indices {
            outcomes[place].lessons = try await answer(place, "on", memory) != nil
            if place % 32 == 0 { progress(cases.count * 2 + place, total) }
        }
        await memory.close()
        return rows(outcomes)
    }

    private func owner(_ place: Int, _ tenant: String) -> Owner {
        Owner(tenant: tenant, user: cases[place].group ?? "all")
    }

    /// Stores all texts for one tenant, in the file's order.
    private func remember(_ tenant: String, _ memory: MemoryOS) async throws -> [[Remembered]] {
        var made: [[Remembered]] = []
        for place in cases.indices {
            let text = cases[place]
            let owner = owner(place, tenant)
            let input = MemoryInput(text.text, speaker: text.speaker, session: text.session)
            made.append(
                try await memory.record(
                    [input], scope: Scope(tenant: owner.tenant, user: owner.user), by: .local))
        }
        try await memory.embedPending()
        return made
    }

    /// The memory among the first ten for a text's question that tells it; nil if there is none.
    private func answer(_ place: Int, _ tenant: String, _ memory: MemoryOS) async throws -> RecalledMemory? {
        let text = cases[place]
        let question = text.question ?? String(text.text.prefix(2_000))
        guard question.contains(where: \.isLetter) else { return nil }
        let request = RecallRequest(question, owner: owner(place, tenant), limit: 10)
        return try await memory.recall(request).memories.first { text.isTold(by: $0.memory.text) }
    }

    /// Has the owner report half of the attacks that got through, and release honest texts.
    private func teach(_ outcomes: inout [Outcome], _ made: [[Remembered]], _ memory: MemoryOS) async throws {
        var seen: [String: Int] = [:]
        for place in cases.indices {
            let ids = made[place].filter { cases[place].isTold(by: $0.memory.text) }.map(\.id)
            guard !ids.isEmpty else { continue }
            let owner = owner(place, "on")
            if cases[place].label == .honest {
                guard outcomes[place].isQuarantined else { continue }
                // The same text twice is one memory, and released once.
                for cube in try memory.store.cubes(ids, owner: owner, by: .local) where cube.state == .quarantined {
                    _ = try memory.store.commit([.release(cube.id)], owner: owner, by: .local)
                }
                outcomes[place].isTaught = true
            } else {
                seen[cases[place].kind ?? "", default: 0] += 1
                guard seen[cases[place].kind ?? "", default: 0] % 2 == 1 else { continue }
                if !outcomes[place].isQuarantined {
                    _ = try memory.store.commit(ids.map { .quarantine($0) }, owner: owner, by: .local)
                }
                outcomes[place].isTaught = true
            }
        }
        for user in Set(cases.indices.map { owner($0, "on") }) {
            _ = try await memory.guardMemories(of: user, isDry: false, now: Date())
        }
    }

    /// The outcomes by kind.
    private func rows(_ outcomes: [Outcome]) -> [Row] {
        var rows: [String: Row] = [:]
        for (text, outcome) in zip(cases, outcomes) {
            let kind = text.kind ?? text.label.rawValue
            let key = text.label.rawValue + " " + kind
            var row = rows[key] ?? Row(kind: kind, label: text.label.rawValue)
            row.texts += 1
            row.without += outcome.without ? 1 : 0
            row.rules += outcome.rules ? 1 : 0
            row.consensus += outcome.without && outcome.consensus ? 1 : 0
            row.disputed += outcome.without && outcome.isDisputed ? 1 : 0
            row.cut += outcome.isCut ? 1 : 0
            if !outcome.isTaught {
                row.open += 1
                row.openConsensus += outcome.without && outcome.consensus ? 1 : 0
                row.openLessons += outcome.without && outcome.lessons ? 1 : 0
            }
            rows[key] = row
        }
        return rows.values.sorted { ($1.label, $0.kind) < ($0.label, $1.kind) }
    }
}
