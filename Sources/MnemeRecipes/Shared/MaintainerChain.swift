import MnemeCube
import MnemePipeline

/// Maintainers one after the other, each with the memories that the ones before it have left: a composition's.
struct MaintainerChain: MemoryMaintainer {
    /// In the order in which they work.
    var parts: [any MemoryMaintainer]

    var summary: String { parts.map(\.summary).joined(separator: "; then ") }

    func operations(on memories: [MemCube], in context: MaintenanceContext) async throws -> [MemoryOperation] {
        var memories = memories
        var operations: [MemoryOperation] = []
        for part in parts {
            let done = try await part.operations(on: memories, in: context)
            operations += done
            memories = Self.left(of: memories, after: done)
        }
        return operations
    }

    /// Memories as operations leave them: without those out of use, with those changed and added, in their order.
    static func left(of memories: [MemCube], after operations: [MemoryOperation]) -> [MemCube] {
        var gone: Set<CubeID> = []
        var changed: [CubeID: MemCube] = [:]
        var added: [MemCube] = []
        for operation in operations {
            switch operation {
            case .archive(let id), .merge(let id, into: _): gone.insert(id)
            case .update(let cube): changed[cube.id] = cube
            case .add(let cube, links: _): added.append(cube)
            case .invalidate, .confirm, .link, .unlink: break
            }
        }
        var left: [MemCube] = memories.map { changed[$0.id] ?? $0 }
        left += added
        return left.filter { !gone.contains($0.id) }
    }
}
