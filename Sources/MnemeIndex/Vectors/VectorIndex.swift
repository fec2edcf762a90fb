@_exported public import enum MnemeBase.ErrorClass
@_exported public import protocol MnemeBase.MnemeError

/// Finds the vectors nearest to a query among many, by cosine similarity.
///
/// An index is derived from a journal of changes and can always be made again: it carries the
/// ``position`` in the journal that it has reached, is saved and opened as files, and catches up.
/// Keys are the caller's, from 0 to ``VectorLimits/keys``.
///
/// Implementers: searches run beside each other and beside one ``apply(_:)``, which they never wait
/// for. A key that a finished ``apply(_:)`` deleted is never found. Pass the conformance suite in
/// the tests of this module.
public protocol VectorIndex: AnyObject, Sendable {
    /// Elements of a vector.
    var dimension: Int { get }
    /// Vectors that can be found.
    var count: Int { get }
    /// Place in the journal of changes that this index has reached.
    var position: Int64 { get }
    /// Bytes held.
    var footprint: IndexFootprint { get }

    /// Deletes, then inserts; a key that is there already gets the new vector. Vectors are scaled
    /// to length 1.
    ///
    /// - Throws: ``IndexError`` if nothing was changed: a wrong dimension, a key out of range, an
    ///   element that is not finite, no room.
    func apply(_ changes: VectorChanges) throws

    /// The nearest vectors, the nearest first.
    ///
    /// - Throws: ``IndexError`` for a query of another dimension, or files that cannot be read.
    func search(_ query: [Float], _ options: VectorSearch) throws -> [VectorMatch]

    /// Adds the vector of a key, of length 1 and as exact as the index keeps it, to `sum`; false if
    /// it is not here.
    func add(_ key: Int, to sum: UnsafeMutablePointer<Float>) -> Bool

    /// Writes all to files at `path`, whole or not at all; what was there is replaced. Nothing
    /// deleted is in them.
    ///
    /// - Parameters:
    ///   - path: the file to write, in a folder that is there.
    ///   - name: what a key is called in the file, for callers whose keys differ from run to run.
    /// - Throws: ``IndexError``.
    func save(to path: String, name: (Int) -> Int) throws
}

extension VectorIndex {
    /// The vector of a key; nil if it is not here.
    public func vector(_ key: Int) -> [Float]? {
        var vector = [Float](repeating: 0, count: dimension)
        return add(key, to: &vector) ? vector : nil
    }

    /// As ``save(to:name:)``, with keys as they are.
    public func save(to path: String) throws { try save(to: path) { $0 } }

    /// Catches up with a journal: applies what `changes` returns for each position reached, until
    /// it returns nil.
    ///
    /// - Throws: what `changes` throws, ``IndexError``.
    public func catchUp(_ changes: (_ since: Int64) throws -> VectorChanges?) throws {
        while let next = try changes(position) { try apply(next) }
    }
}

/// Changes of a set of vectors, up to a place in the journal.
public struct VectorChanges: Sendable {
    /// Keys to delete; those that are not there are passed over.
    public var deleted: [Int]
    /// Vectors to insert or replace.
    public var inserted: [(key: Int, vector: [Float])]
    /// The position that the index has reached afterwards.
    public var position: Int64

    /// Changes.
    public init(
        inserted: [(key: Int, vector: [Float])] = [], deleted: [Int] = [], position: Int64 = 0
    ) {
        self.deleted = deleted
        self.inserted = inserted
        self.position = position
    }
}

/// Options of a search: how many are wanted, among which, and how hard to look.
public struct VectorSearch: Sendable {
    /// Matches wanted.
    public var count: Int
    /// Candidates kept while searching: more finds more and takes longer. nil takes the index's
    /// own, which finds 99 in 100 of the nearest ten on sentences.
    public var effort: Int?
    /// Only these keys.
    public var filter: KeySet?

    /// A search for `count` matches.
    public init(_ count: Int = 10, effort: Int? = nil, filter: KeySet? = nil) {
        self.count = count
        self.effort = effort
        self.filter = filter
    }
}

/// A vector that was found.
public struct VectorMatch: Sendable, Equatable {
    /// Whose.
    public var key: Int
    /// Cosine similarity with the query.
    public var score: Float

    /// A match.
    public init(key: Int, score: Float) {
        self.key = key
        self.score = score
    }
}

/// Bounds of what an index takes.
public struct IndexFootprint: Sendable, Codable, Equatable {
    /// Bytes of memory.
    public var memory: Int
    /// Bytes of files that are read while searching.
    public var disk: Int

    /// Sizes.
    public init(memory: Int, disk: Int = 0) {
        self.memory = memory
        self.disk = disk
    }
}

/// Bounds of every index.
public enum VectorLimits {
    /// Keys lie below this.
    public static let keys = 1 << 31 - 1
    /// Elements of a vector, at most.
    public static let dimension = 8192
}

/// Why an index could not do something. The message says what to do.
public struct IndexError: MnemeError, Equatable {
    /// The kind of failure.
    public enum Kind: String, Sendable {
        /// The request cannot be carried out as it is.
        case invalid = "invalid_request"
        /// A file is damaged or foreign; make the index again.
        case corrupt
        /// A file was written by a newer version.
        case newerVersion = "newer_version"
        /// A file cannot be read or written.
        case unavailable
        /// There is no memory or disk space left.
        case full = "disk_full"
    }
    /// The kind of failure.
    public let kind: Kind
    /// The sentence for users: what is wrong, and what to do.
    public let message: String

    /// An error.
    public init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    /// The kind's name, as JSON and logs have it.
    public var errorCode: String { kind.rawValue }
    /// The class that status and exit code follow from.
    public var errorClass: ErrorClass {
        switch kind {
        case .invalid: .input
        case .corrupt: .corrupt
        case .newerVersion: .unsupported
        case .unavailable: .unavailable
        case .full: .full
        }
    }
}
