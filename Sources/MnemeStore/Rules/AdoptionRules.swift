import Foundation

/// Rules for cubes that come from another store, with their history there.
///
/// Ids are kept, so that links and exports of both stores name the same memory; owners are not, as
/// a vault may come to another user. What its journal says of the past is taken over as somebody
/// else's word.
package enum AdoptionRules {
    /// - Throws: ``StoreError`` if a cube of this kind or state cannot be imported.
    package static func requireAdoptable(_ cube: MemCube) throws {
        guard cube.isPlaintext, cube.state != .erased else {
            throw StoreError(.conflict, "Memory \(cube.id) cannot be imported.")
        }
    }

    /// - Throws: ``StoreError`` if its id is not free.
    package static func requireFree(_ id: CubeID, _ availability: IDAvailability) throws {
        guard availability == .free else {
            throw StoreError(.conflict, "Memory \(id) is here already, or was erased here.")
        }
    }

    /// The cube as the owner's: nobody vouches for it here, and it claims no source that only
    /// Mneme itself may name.
    package static func owned(_ cube: MemCube, by owner: Owner) -> MemCube {
        var cube = cube
        if cube.provenance.source == Provenance.redaction {
            cube.provenance.source = Provenance.importedOriginal
        }
        cube.scope.tenant = owner.tenant
        cube.scope.user = owner.user
        cube.vouchedBy = nil
        return cube
    }

    /// Entries of its journal elsewhere that are written here, by version, none later than the
    /// caller's time.
    package static func history(
        of cube: MemCube, _ entries: [JournalEntry], owner: Owner, by caller: Caller
    ) -> [JournalEntry] {
        entries.sorted { $0.version < $1.version }.compactMap { entry in
            // Entries are somebody else's word: of other cubes, of later versions or of no time
            // they are not taken.
            guard let snapshot = entry.snapshot, snapshot.id == cube.id,
                entry.version <= cube.version,
                entry.time.timeIntervalSince1970.isFinite
            else { return nil }
            var entry = entry
            entry.snapshot = owned(snapshot, by: owner)
            entry.time = min(entry.time, caller.time)
            return entry
        }
    }
}
