import Foundation
import MnemeIndex
import MnemeStore
import NIOConcurrencyHelpers

/// A memory that is ready to be written.
struct Draft: Sendable {
    var cube: MemCube
    var analysis: Analysis
    var contentHash: [UInt8]
    /// To what it was made of, written with it.
    var links: [CubeLink] = []
}

/// One call of ``MemoryOS/remember(_:scope:by:idempotencyKey:)``, analysed.
struct PendingWrite: Sendable {
    var drafts: [Draft]
    var owner: Owner
    var caller: Caller
    var idempotencyKey: String?
    /// Part of an import, whose memory must not grow with the file.
    var isBulk: Bool
    /// Whether what is like a memory that is held, is held.
    var learns: Bool
}

/// Group commit: calls that arrive while the disk is busy go into the next transaction together.
///
/// One transaction is written at a time. A call that is alone waits for nobody; a hundred that arrive
/// together cost one wait for the disk. Each stands or falls for itself.
final class WriteQueue: Sendable {
    private typealias Waiting = (write: PendingWrite, continuation: CheckedContinuation<[Remembered], any Error>)

    private let waiting = NIOLockedValueBox<[Waiting]>([])
    private let queue = DispatchQueue(label: "mneme.writes")

    /// Returns when the write is on disk.
    func commit(_ write: PendingWrite, in memory: MemoryOS) async throws -> [Remembered] {
        try await withCheckedThrowingContinuation { continuation in
            let isFirst = waiting.withLockedValue { waiting in
                waiting.append((write, continuation))
                return waiting.count == 1
            }
            if isFirst { queue.async { self.drain(memory) } }
        }
    }

    private func drain(_ memory: MemoryOS) {
        let group = waiting.withLockedValue { waiting in
            defer { waiting = [] }
            return waiting
        }
        let writes = group.map(\.write)
        var results = Self.commit(writes, in: memory)
        // A request that is too large for the disk must not take its neighbours with it.
        if group.count > 1, results.allSatisfy({ $0.isFailure }) {
            results = writes.map { Self.commit([$0], in: memory)[0] }
        }
        for (item, result) in zip(group, results) { item.continuation.resume(with: result) }
    }

    private static func commit(_ writes: [PendingWrite], in memory: MemoryOS) -> [Result<[Remembered], any Error>] {
        do {
            let (near, held) = try relatives(of: writes, in: memory)
            let requests = writes.indices.map { i in
                let write = writes[i]
                return WriteRequest(
                    write.drafts.indices.map { number in
                        var draft = write.drafts[number]
                        if held[i][number] {
                            draft.cube.state = .quarantined
                            draft.cube.caution = (draft.cube.caution ?? []) + [GuardSignal.lesson.rawValue]
                        }
                        let links = near[i][number].map {
                            [
                                CubeLink(
                                    source: draft.cube.id, target: $0, kind: "nearDuplicateOf", time: write.caller.time)
                            ]
                        }
                        return .add(
                            draft.cube, analysis: draft.analysis.encoded, contentHash: draft.contentHash,
                            links: draft.links + (links ?? []))
                    }, owner: write.owner, by: write.caller, idempotencyKey: write.idempotencyKey)
            }
            let saved = try memory.store.commit(requests)
            return writes.indices.map { i in
                saved[i].map {
                    remembered($0, writes[i].drafts, near[i]).filter {
                        $0.memory.provenance.source != Provenance.redaction
                    }
                }
            }
        } catch { return writes.map { _ in .failure(error) } }
    }

    /// Memories of an owner up to which imports look for near duplicates: the search needs the owner's index in memory.
    private static let bulkLimit = 50_000

    /// For each draft, a memory from before the group that says nearly the same, and whether one that is held does: what was learned once is known
    /// again in other words.
    private static func relatives(of writes: [PendingWrite], in memory: MemoryOS) throws -> (
        near: [[CubeID?]], held: [[Bool]]
    ) {
        var near = writes.map { [CubeID?](repeating: nil, count: $0.drafts.count) },
            held = writes.map { [Bool](repeating: false, count: $0.drafts.count) }
        var readers: [MemoryOS.IndexKey: [Int]] = [:]
        for (i, write) in writes.enumerated() where write.caller.principal.permissions.contains(.read) {
            // A twin out of the writer's sight must not show; whoever reaches nothing is refused when it writes.
            guard let sight = try? memory.store.visibility(of: write.owner, for: .read, by: write.caller) else {
                continue
            }
            readers[MemoryOS.IndexKey(owner: write.owner, visibility: sight), default: []].append(i)
        }
        for (key, indices) in readers {
            if indices.allSatisfy({ writes[$0].isBulk }),
                try memory.store.count(owner: key.owner, limit: bulkLimit) == bulkLimit
            {
                continue
            }
            try memory.withIndex(key) { index in
                for i in indices {
                    near[i] = writes[i].drafts.map { index.nearDuplicate(of: $0.analysis) }
                    guard writes[i].learns else { continue }
                    held[i] = writes[i].drafts.map {
                        $0.cube.vouchedBy == nil && $0.cube.state == .activated && index.isLikeHeld($0.analysis)
                    }
                }
            }
        }
        return (near, held)
    }

    /// What the store kept, which is another memory where the same was there before.
    private static func remembered(_ saved: [MemCube], _ drafts: [Draft], _ near: [CubeID?]) -> [Remembered] {
        let near = Dictionary(uniqueKeysWithValues: zip(drafts.map(\.cube.id), near))
        return saved.map { cube in
            Remembered(
                id: cube.id, type: cube.type, duplicate: near[cube.id] == nil, nearDuplicateOf: near[cube.id] ?? nil,
                memory: cube)
        }
    }
}

extension Result {
    fileprivate var isFailure: Bool { if case .failure = self { true } else { false } }
}
