import Foundation
import MnemeCube
public import MnemePipeline

/// Requirements of every `MemoryMaintainer` of MnemePipeline, as checks that a test runs on a value.
public typealias MaintainerConformance = Conformance<any MemoryMaintainer>

extension Conformance where Subject == any MemoryMaintainer {
    /// A model that cannot be asked, or that answers with what it likes.
    private struct PoorOracle: Oracle {
        let name = "poor"
        /// The answer; nil fails.
        var answer: String?
        func answer(_ question: OracleQuestion) async throws -> String {
            guard let answer else { throw OracleError("The model cannot be reached.") }
            return answer
        }
    }

    /// A context in which memories next to each other are near.
    private static func context(_ memories: [MemCube], oracle: (any Oracle)? = nil)
        -> MaintenanceContext
    {
        let ids = memories.map(\.id)
        return MaintenanceContext(now: StageSamples.now, oracle: oracle) { id, limit in
            guard let place = ids.firstIndex(of: id) else { return [] }
            let beside = [place - 1, place + 1].filter(ids.indices.contains)
            return beside.prefix(limit).map { Neighbour(ids[$0], similarity: $0 % 2 == 0 ? 0.97 : 0.6) }
        }
    }

    /// The memories in use once operations were applied, as the core applies them.
    private static func applying(_ operations: [MemoryOperation], to memories: [MemCube]) -> [MemCube] {
        operations.reduce(into: memories) { memories, operation in
            switch operation {
            case .add(let cube, _): memories.append(cube)
            case .archive(let id), .merge(let id, into: _): memories.removeAll { $0.id == id }
            case .update(let cube):
                guard let place = memories.firstIndex(where: { $0.id == cube.id }) else { return }
                memories[place].text = cube.text
                memories[place].type = cube.type
                memories[place].tags = cube.tags
                memories[place].metadata = cube.metadata
                memories[place].priority = cube.priority
                memories[place].version += 1
            case .invalidate(let id, let time):
                guard let place = memories.firstIndex(where: { $0.id == id }) else { return }
                memories[place].validUntil = time
            case .confirm(let id):
                guard let place = memories.firstIndex(where: { $0.id == id }) else { return }
                memories[place].confirmations = (memories[place].confirmations ?? 0) + 1
            case .link, .unlink: break
            }
        }
    }

    /// Every check. They may run at the same time.
    public static var all: [Self] { naming + repeating }

    private static var naming: [Self] {
        [
            Self("it says what it does, and asks for nothing where nothing is") { maintainer in
                try expect(!maintainer.summary.isEmpty)
                let operations = try await maintainer.operations(on: [], in: context([]))
                try expect(operations.isEmpty)
            },
            // The core changes nothing of a run that names a memory which it was not given.
            Self("it names memories that it was given, and such as it adds") { maintainer in
                for count in 1...StageSamples.memories.count {
                    let memories = Array(StageSamples.memories.prefix(count))
                    let operations = try await maintainer.operations(
                        on: memories, in: context(memories))
                    try requireKnown(operations, memories.map(\.id))
                }
            },
            // Erasing goes along these edges: what is made of a memory must not outlive it.
            Self("what it adds says what it was made of, and belongs to the same owner") { maintainer in
                let memories = StageSamples.memories
                for operation in try await maintainer.operations(on: memories, in: context(memories)) {
                    guard case .add(let cube, let links) = operation else { continue }
                    try expect(cube.scope.owner == memories[0].scope.owner)
                    try expect(cube.scope.agent == memories[0].scope.agent)
                    try expect(
                        links.contains { $0.source == cube.id && $0.kind == CubeLink.derivedFrom },
                        "'\(cube.text)' names no source")
                }
            },
        ]
    }

    private static var repeating: [Self] {
        [
            // It runs each hour: one that went on would write for ever.
            Self("once all is done it asks for nothing more") { maintainer in
                var memories = StageSamples.memories
                var runs = 0
                var operations = try await maintainer.operations(on: memories, in: context(memories))
                while !operations.isEmpty {
                    runs += 1
                    try expect(runs < 6, "after \(runs) runs it still asks: \(operations)")
                    memories = applying(operations, to: memories)
                    operations = try await maintainer.operations(on: memories, in: context(memories))
                }
            },
            Self("the same memories have the same operations") { maintainer in
                let memories = StageSamples.memories
                let ids = memories.map(\.id)
                let first = try await maintainer.operations(on: memories, in: context(memories))
                let second = try await maintainer.operations(on: memories, in: context(memories))
                try expect(outline(first, ids).sorted() == outline(second, ids).sorted())
            },
            // Models fail, and answer with anything.
            Self("a model that fails or talks nonsense changes nothing that it was not given") {
                maintainer in
                let memories = StageSamples.memories
                for answer in [nil, "", "{}", "[]", "no JSON", "{\"summary\": 7}", "{\"text\": \"\"}"] {
                    let oracle = PoorOracle(answer: answer)
                    do {
                        let operations = try await maintainer.operations(
                            on: memories, in: context(memories, oracle: oracle))
                        try requireKnown(operations, memories.map(\.id))
                    } catch is OracleError {
                        try expect(answer == nil, "an answer that cannot be read ended the run")
                    }
                }
            },
        ]
    }
}
