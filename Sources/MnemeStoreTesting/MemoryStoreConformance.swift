import Foundation
public import MnemeStore

/// What every ``MemoryStore`` must do, as checks that a test runs on an empty store.
///
/// ```swift
/// @Test(arguments: MemoryStoreConformance.all)
/// func `conforms`(check: MemoryStoreConformance) throws { try check.run(makeEmptyStore()) }
/// ```
public struct MemoryStoreConformance: Sendable, CustomStringConvertible {
    /// What is checked.
    public let description: String
    let body: @Sendable (any MemoryStore) throws -> Void

    /// Runs the check on an empty store.
    ///
    /// - Throws: ``Failure``, or what the store throws.
    public func run(_ store: any MemoryStore) throws { try body(store) }

    /// A broken promise.
    public struct Failure: Error, CustomStringConvertible {
        /// What is checked.
        public let description: String
    }

    /// Every check.
    public static let all = cubes + feed + access + audit + jobs + maintenance
}
