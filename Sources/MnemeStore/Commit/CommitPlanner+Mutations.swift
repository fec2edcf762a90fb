import Foundation

/// Mutations: what each has to pass, and what is written of it.
extension CommitPlanner {
    /// Applies one mutation.
    ///
    /// - Returns: the cube after it, if there is one.
    func apply(_ mutation: Mutation) throws -> MemCube? {
        let time = caller.time
        switch mutation {
        case .add(let cube, let analysis, let contentHash, let links):
            return try add(cube, analysis, contentHash, links)
        case .adopt(let cube, let history, let analysis, let contentHash):
            return try adopt(cube, history, analysis, contentHash)
        case .update(let cube, let analysis, let contentHash):
            return try replace(cube, analysis, contentHash, .update)
        case .rollback(let cube, let analysis, let contentHash):
            return try replace(cube, analysis, contentHash, .rollback)
        case .archive(let id): return try transition(id, to: .archived, .archive)
        case .restore(let id): return try transition(id, to: .activated, .restore)
        case .quarantine(let id): return try transition(id, to: .quarantined, .quarantine)
        case .release(let id): return try release(id)
        case .freeze(let id): return try transition(id, to: .frozen, .freeze)
        case .merge(let id, let other):
            _ = try require(other, for: .write)
            try LifecycleRules.requireOther(id, than: other)
            return try transition(id, to: .merged, .merge)
        case .invalidate(let id, let date):
            let cube = try requireChangeable(id)
            return try save(
                LifecycleRules.validity(of: cube, until: date, as: .invalidate, at: time))
        case .confirm(let id):
            return try save(LifecycleRules.confirm(requireChangeable(id), at: time))
        case .move(let id, let tier, let topic):
            let cube = try requireChangeable(id)
            return try save(LifecycleRules.move(cube, to: tier, topic: topic, at: time))
        case .erase(let id): try erase(id)
        case .link(let link):
            _ = try require(link.source, for: .write)
            _ = try require(link.target, for: .write)
            try LifecycleRules.check(link)
            try add(link)
        case .unlink(let link): try remove(link)
        }
        return nil
    }

    /// Adds a cube with its journal entry, terms, links and claims, unless the same content is
    /// there already: then that cube is returned and nothing is written.
    private func add(
        _ new: MemCube, _ analysis: [UInt8], _ contentHash: [UInt8], _ links: [CubeLink]
    ) throws -> MemCube? {
        var cube = new
        let writable = visibility(.write)
        try confine(&cube, isNew: true)
        if let known = try rows.cube(withContent: contentHash, session: cube.scope.session) {
            // That there is one that is not visible must not show.
            let cube = try rows.cube(known)
            if let cube, writable.contains(cube) { return cube }
        }
        cube.scope.tenant = owner.tenant
        cube.scope.user = owner.user
        try orderClaims(of: &cube)
        try insert(cube, .add, analysis, contentHash)
        for link in links {
            guard let target = try rows.cube(link.target),
                AccessRules.keeps(link, to: target, writable: writable)
            else { continue }
            try add(link)
        }
        return try updateValidityOfNew(cube)
    }

    /// Takes in a cube of another store with what happened to it there.
    private func adopt(
        _ cube: MemCube, _ history: [JournalEntry], _ analysis: [UInt8], _ contentHash: [UInt8]
    ) throws -> MemCube {
        // Before access is asked: what comes from outside gets none by what it says of itself.
        var cube = AdoptionRules.owned(cube, by: owner)
        try confine(&cube, isNew: true)
        try AdoptionRules.requireAdoptable(cube)
        try AdoptionRules.requireFree(cube.id, rows.availability(of: cube.id))
        for entry in AdoptionRules.history(of: cube, history, owner: owner, by: caller) {
            if let snapshot = entry.snapshot { try record(entry, snapshot) }
        }
        try insert(cube, .adopt, analysis, contentHash)
        return try updateValidityOfNew(cube)
    }

    /// Writes a new cube and its journal entry.
    private func insert(
        _ cube: MemCube, _ operation: JournalEntry.Operation, _ analysis: [UInt8],
        _ contentHash: [UInt8]
    ) throws {
        let json = CubeJSON(cube)
        let position = try record(operation, cube, json)
        try rows.insert(
            CubeRow(
                cube: cube, json: json, analysis: analysis, contentHash: contentHash,
                position: position))
    }

    /// Bounds what the caller writes, see ``AccessRules/confine(_:to:_:isNew:)``.
    private func confine(_ cube: inout MemCube, isNew: Bool) throws {
        try rows.noting {
            try AccessRules.confine(&cube, to: visibility(.write), caller.principal, isNew: isNew)
        }
    }

    /// Removes a cube for good. The journal keeps that it happened, never what was said; what the
    /// cube had ended holds again.
    private func erase(_ id: CubeID) throws {
        var cube = try require(id, for: .erase)
        cube.version += 1
        try record(.erase, cube, CubeJSON(cube))
        let keys = try rows.claimedKeys(of: id)
        let ended = try rows.targets(of: id, kind: CubeLink.supersedes)
        try rows.erase(id)
        claims.forget(id, claiming: keys)
        for target in ended {
            guard let former = try rows.cube(target) else { continue }
            try save(
                LifecycleRules.validity(of: former, until: nil, as: .reinstate, at: caller.time))
        }
        try updateValidity(keys)
    }

    /// Makes a cube's next version.
    private func replace(
        _ chosen: MemCube, _ analysis: [UInt8], _ contentHash: [UInt8],
        _ operation: JournalEntry.Operation
    ) throws -> MemCube {
        var chosen = chosen
        let old = try requireChangeable(chosen.id)
        try confine(&chosen, isNew: false)
        let cube = try LifecycleRules.replace(
            old, by: chosen, as: operation, owner: owner, at: caller.time
        ).cube
        let json = CubeJSON(cube)
        let position = try record(operation, cube, json)
        try rows.replace(
            by: CubeRow(
                cube: cube, json: json, analysis: analysis, contentHash: contentHash,
                position: position),
            // Embedding is the costly part: only another text, or another speaker, needs it again.
            keepsVector: LifecycleRules.keepsVector(old, cube))
        let keys = try saveClaims(cube)
        guard !keys.isEmpty else { return cube }
        claims.forget(cube.id, claiming: keys)
        return try updateValidity(keys)[cube.id] ?? cube
    }

    /// Lets a quarantined cube into recall.
    private func release(_ id: CubeID) throws -> MemCube {
        _ = try require(id, for: .share)
        let cube = try require(id, for: .write)
        let released = try save(LifecycleRules.release(cube, by: caller))
        try updateValidity(rows.claimedKeys(of: id))
        return try rows.cube(id) ?? released
    }

    /// Changes a cube's state, and what follows from its claims. A cube that is in the state
    /// already is returned as it is.
    private func transition(
        _ id: CubeID, to state: LifecycleState, _ operation: JournalEntry.Operation
    ) throws -> MemCube {
        let cube = try require(id, for: .write)
        guard
            let next = try LifecycleRules.transition(
                cube, to: state, as: operation, at: caller.time)
        else { return cube }
        let changed = try save(next)
        guard !cube.claims.isEmpty else { return changed }
        // What it had ended holds again, or does not any more.
        try updateValidity(rows.claimedKeys(of: id))
        return try rows.cube(id) ?? changed
    }

    /// Writes a cube's next version, whose text is the same, and its journal entry.
    @discardableResult
    private func save(_ next: CubeChange) throws -> MemCube {
        claims.forget(next.cube.id, claiming: next.cube.claims.map(\.key))
        return try write(next)
    }

    /// As ``save(_:)``, for who keeps ``claims`` true.
    func write(_ next: CubeChange) throws -> MemCube {
        let json = CubeJSON(next.cube)
        let position = try record(next.operation, next.cube, json)
        try rows.update(next.cube, header: json.header, position: position)
        return next.cube
    }

    /// Writes an edge, in place of an equal one, and its journal entry.
    private func add(_ link: CubeLink) throws {
        forgetEnd(by: link)
        try rows.insert(link)
        try record(.link, link)
    }

    /// Removes an edge; both ends may be gone.
    private func remove(_ link: CubeLink) throws {
        _ = try require(link.source, for: .write)
        guard try rows.remove(link) else {
            throw StoreError(
                .notFound, "There is no '\(link.kind)' link from \(link.source) to \(link.target).")
        }
        forgetEnd(by: link)
        try record(.unlink, link)
    }

    /// Drops the cached end of a cube where an edge that says so comes or goes.
    private func forgetEnd(by link: CubeLink) {
        if link.kind == CubeLink.supersedes { claims.forget(link.target, claiming: []) }
    }
}
