import Foundation
import MnemeIndex
import MnemeStore

/// Rules of graph building: memories that belong together though they were said apart are linked,
/// as a keeper of notes does (A-MEM, Xu et al. 2025 [62], without a model): each with those before
/// it that are nearest by dense similarity. Recall walks along such links.
enum Linking {
    /// The least cosine of two memories' vectors. Of 0.4 to 0.7 the best for multi-hop questions of
    /// LoCoMo's development half.
    static let least: Float = 0.5
    /// The most links that a memory gets to earlier ones.
    static let most = 3
    /// The kind of these links, which somebody may also make by hand.
    static let kind = "related"
}

extension OwnerIndex {
    /// The earlier memories to link one with, the nearest first; nil while it has no vector.
    ///
    /// Its neighbours in the conversation, two each way, are none of them, since recall reaches
    /// those anyway; nor is what is not recalled. More are searched than wanted, as later memories
    /// and neighbours drop out.
    func relatives(of id: CubeID) throws -> [CubeID]? {
        guard let number = number(of: id), isShown[number] else { return [] }
        guard let vector = vectors.vector(number) else { return nil }
        var beside: Set<Int> = []
        threads.forEachNeighbour(of: number, reach: 2) { beside.insert($0) }
        let found = try vectors.search(vector, VectorSearch(4 * Linking.most + beside.count))
        return found.lazy.filter {
            $0.score >= Linking.least && $0.key < number && isShown[$0.key]
                && !beside.contains($0.key)
        }
        .prefix(Linking.most).map { documents[$0.key].id }
    }
}

extension MemoryOS {
    /// Links an owner's memories that were not looked at yet, the oldest first. Where it stopped is
    /// in the store.
    ///
    /// A page of 128 memories is one step: links and the watermark are written after each, so that
    /// a job that is stopped goes on there. A memory without a vector ends the run: those behind it
    /// wait, lest one be passed over for good.
    ///
    /// - Returns: what was done, in words.
    /// - Throws: `InputError` if there is no embedder, `StoreError`, `CancellationError`.
    func link(_ owner: Owner, now: Date) async throws -> String {
        guard embedder != nil else {
            throw InputError(
                "Linking compares vectors; there is no embedding model. `mneme pull minilm` fetches one."
            )
        }
        var filter = CubeFilter(owner: owner, limit: 128)
        filter.afterProgress = "link"
        let caller = Caller(
            Caller.mneme.principal, operation: "link", reason: "near by meaning", time: now)
        let key = IndexKey(owner: owner)
        var looked = 0
        var made = 0
        while true {
            try Task.checkCancellation()
            let (page, links, done) = try await run { [self, filter] () -> (Int, Int, Int) in
                let page = try store.list(filter, by: .mneme)
                let relatives = try withIndex(key) { index in
                    try page.map { try index.relatives(of: $0.id) }
                }
                var requests: [WriteRequest] = []
                var done = 0
                for (cube, targets) in zip(page, relatives) {
                    // What has no vector yet has its turn another time, and all behind it.
                    guard let targets else { break }
                    done += 1
                    guard !targets.isEmpty else { continue }
                    let known = Set(
                        try store.links(of: cube.id, owner: owner, by: .mneme).flatMap {
                            [$0.source, $0.target]
                        })
                    let new = targets.filter { !known.contains($0) }.map {
                        CubeLink(source: cube.id, target: $0, kind: Linking.kind, time: now)
                    }
                    if !new.isEmpty {
                        requests.append(
                            WriteRequest(new.map { .link($0) }, owner: owner, by: caller))
                    }
                }
                var links = 0
                if !requests.isEmpty {
                    for (request, result) in zip(requests, try store.commit(requests)) {
                        // One that was erased at this moment needs no link.
                        do { _ = try result.get() } catch let error as StoreError
                            where error.code == .notFound || error.code == .conflict
                        { continue }
                        links += request.mutations.count
                    }
                }
                if done > 0 { try store.setProgress(page[done - 1].id, of: "link", owner: owner) }
                return (page.count, links, done)
            }
            (looked, made) = (looked + done, made + links)
            let waits = done < page
            guard page == filter.limit, !waits else {
                return
                    "\(made) links between \(looked) memories and those before\(waits ? "; the rest waits for vectors" : "")"
            }
        }
    }
}
