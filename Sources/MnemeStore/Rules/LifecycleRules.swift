package import Foundation

/// Rules of a cube's life: which changes are legal, and which version each leads to.
package enum LifecycleRules {
    /// - Throws: ``StoreError`` if the cube is kept as it is.
    package static func requireChangeable(_ cube: MemCube) throws {
        guard cube.state != .erased, cube.state != .frozen else {
            throw StoreError(
                .conflict,
                "Memory \(cube.id) is \(cube.state.rawValue) and cannot be changed. Restore it first."
            )
        }
        guard cube.state != .quarantined else { throw quarantined(cube.id) }
    }

    /// The refusal of changes to what waits for somebody's judgement.
    private static func quarantined(_ id: CubeID) -> StoreError {
        StoreError(
            .conflict, "Memory \(id) is quarantined, as it reads like an instruction. Release or erase it."
        )
    }

    /// The change to another state; nil if the cube is in it.
    ///
    /// - Throws: ``StoreError`` if there is no such transition.
    package static func transition(
        _ cube: MemCube, to state: LifecycleState, as operation: JournalEntry.Operation,
        at time: Date
    ) throws -> CubeChange? {
        guard cube.state != state else { return nil }
        guard cube.state != .quarantined else { throw quarantined(cube.id) }
        guard cube.state.canBecome(state) else {
            throw StoreError(
                .conflict,
                "Memory \(cube.id) is \(cube.state.rawValue) and cannot become \(state.rawValue).")
        }
        return CubeChange(operation, of: cube, at: time) { $0.state = state }
    }

    /// A quarantined cube let into recall, on the caller's word.
    ///
    /// - Throws: ``StoreError`` if it is not quarantined.
    package static func release(_ cube: MemCube, by caller: Caller) throws -> CubeChange {
        guard cube.state == .quarantined else {
            throw StoreError(.conflict, "Memory \(cube.id) is \(cube.state.rawValue), not quarantined.")
        }
        return CubeChange(.release, of: cube, at: caller.time) {
            $0.state = .activated
            $0.vouchedBy = caller.principal.name
        }
    }

    /// - Throws: ``StoreError`` if a cube would take its own place.
    package static func requireOther(_ id: CubeID, than other: CubeID) throws {
        guard id != other else {
            throw StoreError(.conflict, "A memory cannot take its own place.")
        }
    }

    /// - Throws: ``StoreError`` if a cube would be linked to itself.
    package static func check(_ link: CubeLink) throws {
        guard link.source != link.target else {
            throw StoreError(.conflict, "A memory cannot be linked to itself.")
        }
    }

    /// A word that the cube is right.
    package static func confirm(_ cube: MemCube, at time: Date) -> CubeChange {
        CubeChange(.confirm, of: cube, at: time) {
            $0.confirmations = min($0.confirmations ?? 0, .max - 1) + 1
        }
    }

    /// A move to a tier, and to the topic that another cube began.
    package static func move(_ cube: MemCube, to tier: MemoryTier, topic: CubeID?, at time: Date)
        -> CubeChange
    {
        CubeChange(.move, of: cube, at: time) {
            $0.tier = tier
            $0.topic = topic
        }
    }

    /// A change of the time since when the cube does not hold; nil for one that holds.
    package static func validity(
        of cube: MemCube, until end: Date?, as operation: JournalEntry.Operation, at time: Date
    ) -> CubeChange {
        CubeChange(operation, of: cube, at: time) { $0.validUntil = end }
    }

    /// The next version of a cube, made of a whole one that its writer chose: what is not the
    /// writer's to say stays as it was.
    ///
    /// - Parameters:
    ///   - old: the cube now, which can be changed.
    ///   - new: the chosen one, with the version that its writer had read.
    ///   - operation: `update` or `rollback`; a rollback brings the former state back, too, where
    ///     that is legal.
    /// - Throws: ``StoreError`` if another change came first, or keys and values, or an adapter,
    ///   would be called something else's.
    package static func replace(
        _ old: MemCube, by new: MemCube, as operation: JournalEntry.Operation, owner: Owner,
        at time: Date
    ) throws -> CubeChange {
        guard old.isPlaintext && new.isPlaintext || old.payload.standsForTheSame(as: new.payload) else {
            throw StoreError(
                .conflict,
                "Memory \(old.id) stands for \(old.adapter == nil ? "computed keys and values" : "an adapter"); "
                    + "its text cannot be changed. Make another."
            )
        }
        guard new.version == old.version else {
            throw StoreError(
                .conflict,
                "Memory \(old.id) was changed meanwhile, to version \(old.version). "
                    + "Read it again and repeat the change."
            )
        }
        return CubeChange(operation, of: new, at: time) { cube in
            cube.recordedTime = old.recordedTime
            // Nobody makes an original of another memory, or another memory of an original.
            if cube.provenance.isOriginal != old.provenance.isOriginal {
                cube.provenance = old.provenance
            }
            cube.scope.tenant = owner.tenant
            cube.scope.user = owner.user
            cube.scope.session = old.scope.session
            if operation == .rollback {
                // The way there is another's matter: what may not be, stays as it is.
                if cube.state != old.state, !old.state.canBecome(cube.state) {
                    cube.state = old.state
                }
            } else {
                // An update may hold a text back, never let one out: that takes a release.
                let isQuarantined = cube.state == .quarantined && old.state.canBecome(.quarantined)
                cube.state = isQuarantined ? .quarantined : old.state
                cube.validUntil = old.validUntil
                cube.confirmations = old.confirmations
            }
            // A word for one text is none for another.
            cube.vouchedBy = old.text == cube.text ? old.vouchedBy : nil
        }
    }

    /// Tells whether the vector of the old version serves the new one.
    package static func keepsVector(_ old: MemCube, _ new: MemCube) -> Bool {
        old.text == new.text && old.speaker == new.speaker
    }
}
