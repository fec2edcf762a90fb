package import MnemeCube
package import MnemePipeline

/// A summary of each few messages of a conversation: those of them whose keywords the others share most.
///
/// It quotes, so that an evaluation can tell which messages a summary holds.
package struct WindowSummaries: MemoryMaintainer {
    package let summary = "sum up each few messages of a conversation"
    /// Messages of a window, and how many of them are quoted.
    var width = 6, quoted = 2
    /// Their tag.
    var tag = Self.tag

    /// The tag of summaries.
    package static let tag = "grid/summary"
    /// The key of a summary's metadata with the references of what it quotes, with spaces between.
    package static let quotes = "grid/quotes"

    package func operations(on memories: [MemCube], in context: MaintenanceContext) async throws -> [MemoryOperation] {
        var windows: [String: [MemCube]] = [:]
        var order: [String] = []
        // What was made of messages is in no window.
        for cube in memories
        where cube.provenance.source != Provenance.recipe && !cube.tags.contains(StructureExtractor.tag) {
            let session = cube.scope.session ?? ""
            if windows[session] == nil { order.append(session) }
            windows[session, default: []].append(cube)
        }
        var operations: [MemoryOperation] = []
        for session in order {
            let cubes = windows[session] ?? []
            let made = memories.filter { $0.tags.contains(tag) && ($0.scope.session ?? "") == session }
            var wanted: Set<String> = []
            for start in stride(from: 0, to: cubes.count, by: width) {
                let window = Array(cubes[start...].prefix(width))
                let best = Summaries.central(window, quoted).map { window[$0] }
                let text = Summaries.quoting(best)
                // Two windows may say the same.
                guard wanted.insert(text).inserted, !made.contains(where: { $0.text == text }),
                    case .add(var cube, let links)? = context.derive(text, type: .semantic, from: window, tag: tag)
                else { continue }
                cube.metadata[Self.quotes] = best.compactMap(\.provenance.reference).joined(separator: " ")
                operations.append(.add(cube, links: links))
            }
            // The last window of a conversation that went on has another summary now.
            operations += made.filter { !wanted.contains($0.text) }.map { .archive($0.id) }
        }
        return operations
    }
}
