import Foundation
public import MnemeStore

/// The difference of two vaults, or of a vault and a package.
///
/// Texts are cut to 200 characters, enough for people to tell memories apart.
public struct VaultDifference: Sendable, Codable {
    /// A memory of both that says something else here and there.
    public struct Change: Sendable, Codable {
        /// The memory.
        public var id: CubeID
        /// The beginning of its text on either side.
        public var first: String, second: String
    }

    /// The same in both, by id or by what is said.
    ///
    /// A memory that another store holds under another id is the same if its text and speaker are.
    public var same = 0
    /// Memories in one of them only, with their text in brief.
    public var onlyFirst: [CubeID: String] = [:], onlySecond: [CubeID: String] = [:]
    /// Memories in both that differ.
    public var changed: [Change] = []
}

/// A side of a comparison: a vault or a package.
public enum VaultSource: Sendable {
    /// A vault in the store.
    case vault(Owner)
    /// A package in a file.
    case package(String, passphrase: String?)
}

extension MemoryOS {
    /// Compares two vaults, or a vault and a package: by id first, then by text and speaker.
    ///
    /// Memories that stand for a KV cache are left out. Text, state and tags count as content;
    /// times and links do not.
    ///
    /// - Parameters:
    ///   - first: the one whose memories may be missing in the other.
    ///   - second: the one that may have others.
    ///   - caller: with whose rights vaults are read; memories that are not visible count as absent.
    /// - Throws: `InputError` if a package is damaged, `AccessError`, `StoreError`.
    /// - Complexity: both are in memory while they are compared.
    public func difference(_ first: VaultSource, _ second: VaultSource, by caller: Caller = .local)
        async throws
        -> VaultDifference
    {
        let (a, b) = (
            try await memories(in: first, by: caller), try await memories(in: second, by: caller)
        )
        var difference = VaultDifference()
        var contentKeys: [Data: CubeID] = [:]
        var met: Set<CubeID> = []
        for cube in b.values { contentKeys[cube.contentKey] = cube.id }
        for cube in a.values {
            if let other = b[cube.id] {
                met.insert(cube.id)
                if other.text == cube.text, other.state == cube.state, other.tags == cube.tags {
                    difference.same += 1
                } else {
                    difference.changed.append(
                        .init(id: cube.id, first: Self.brief(cube), second: Self.brief(other)))
                }
            } else if let duplicate = contentKeys[cube.contentKey] {
                met.insert(duplicate)
                difference.same += 1
            } else {
                difference.onlyFirst[cube.id] = Self.brief(cube)
            }
        }
        for cube in b.values where !met.contains(cube.id) {
            difference.onlySecond[cube.id] = Self.brief(cube)
        }
        difference.changed.sort { $0.id < $1.id }
        return difference
    }

    /// The beginning of a memory's text, after its state if that is not `activated`.
    private static func brief(_ cube: MemCube) -> String {
        (cube.state == .activated ? "" : "[\(cube.state.rawValue)] ")
            + String(cube.text.prefix(200))
    }

    /// All text memories of one side by id, the latest version of each.
    /// - Throws: `InputError` if a package is damaged or was cut off.
    private func memories(in source: VaultSource, by caller: Caller) async throws -> [CubeID:
        MemCube]
    {
        switch source {
        case .vault(let owner):
            return try await run { [store] in
                var found: [CubeID: MemCube] = [:]
                var pages = CubePages(CubeFilter(owner: owner, limit: 1_000), by: caller)
                while let page = try pages.next(from: store) {
                    for cube in page where cube.isPlaintext { found[cube.id] = cube }
                }
                return found
            }
        case .package(let path, let passphrase):
            return try await run {
                var reader = try VaultPackageReader(path: path, passphrase: passphrase)
                var found: [CubeID: MemCube] = [:]
                while let line = try reader.next(), line.end == nil {
                    if let cube = line.memory { found[cube.id] = cube }
                }
                return found
            }
        }
    }
}
