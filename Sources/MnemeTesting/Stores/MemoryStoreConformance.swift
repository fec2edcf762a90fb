import Foundation
public import MnemeStore

/// Requirements of every `MemoryStore` of MnemeStore, as checks that a test runs on an empty store. Its audit
/// log must be signed, see `AuditStore.shortenAudit(before:by:archive:)`.
///
/// A check knows nothing but the protocols: it writes and reads as users do, with callers of few
/// and of many rights, and expects the typed errors that they promise.
///
/// ```swift
/// @Test(arguments: MemoryStoreConformance.all)
/// func `conforms`(check: MemoryStoreConformance) throws { try check.run(makeEmptyStore()) }
/// ```
public struct MemoryStoreConformance: Sendable, CustomStringConvertible {
    /// The requirement, as a sentence.
    public let description: String
    /// The calls that show it; they throw where the store does not do as required.
    let body: @Sendable (any MemoryStore) throws -> Void

    /// Runs the check on an empty store.
    ///
    /// - Throws: ``Failure``, or what the store throws.
    public func run(_ store: any MemoryStore) throws { try body(store) }

    /// A requirement that is not met.
    public typealias Failure = ConformanceFailure

    /// Every check, by role of the store: cubes, feed, access, policy, audit, jobs, exports,
    /// maintenance. Each needs an empty store of its own; they may run at the same time.
    public static let all =
        cubes + forms + feed + access + policy + audit + jobs + exports + maintenance
}
