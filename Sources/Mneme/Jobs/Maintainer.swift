public import Foundation
public import MnemeStore

/// Does the background jobs of one kind: the manage stage of a pipeline.
///
/// A new kind is a new file with a maintainer and its ``JobKind``, and a line in
/// ``Maintainers/standard``.
///
/// A job may be cancelled at any await, and run again after a crash: it works in steps that each
/// leave the store consistent, and finds out from the store what is left to do.
public protocol Maintainer: Sendable {
    /// The kind of job that it does.
    var kind: JobKind { get }
    /// The help text: the work and its arguments.
    var help: String { get }
    /// Names of the arguments that it takes.
    var arguments: Set<String> { get }
    /// True if each owner has a job of their own; otherwise one job serves the whole store.
    var isPerOwner: Bool { get }
    /// Checks the values of arguments before anybody waits for the job.
    ///
    /// - Throws: `InputError` that says what a value has to be.
    func check(_ arguments: [String: String]) throws
    /// Does one job.
    ///
    /// - Returns: the outcome, in words.
    func perform(_ run: MaintenanceRun) async throws -> String
}

extension Maintainer {
    /// Refuses arguments that the job does not know, and values that it would not heed.
    ///
    /// `dry` means the same for every job, so it is checked here; the other values are ``check(_:)``'s.
    ///
    /// - Throws: `InputError` that names the argument and what it takes.
    func requireValid(_ arguments: [String: String]) throws {
        if let unknown = arguments.keys.sorted().first(where: { !self.arguments.contains($0) }) {
            throw InputError("\(kind.rawValue) takes no '\(unknown)': \(help).")
        }
        if let dry = arguments["dry"], !["true", "false"].contains(dry) {
            throw InputError("'dry' is true or false, not '\(dry)'.")
        }
        try check(arguments)
    }
}

extension Maintainer {
    /// No arguments, by default.
    public var arguments: Set<String> { [] }
    /// One job for each owner, by default.
    public var isPerOwner: Bool { true }
    /// Accepts every value, by default.
    public func check(_ arguments: [String: String]) throws {}
}

/// One run of a ``Maintainer``: on which memories, with which arguments, at which time.
public struct MaintenanceRun: Sendable {
    /// The memory system to look after.
    public let memory: MemoryOS
    /// The owner; nil where one job serves the whole store.
    public let owner: Owner?
    /// The job's arguments, checked.
    public let arguments: [String: String]
    /// The time that counts as now.
    public let now: Date

    /// True if changes are only counted: `dry=true`. Other values than true and false are refused
    /// before a run begins.
    public var isDry: Bool { arguments["dry"] == "true" }

    /// The owner of a job that each owner has by itself.
    ///
    /// - Throws: `InputError` if the job names none.
    public func requireOwner() throws -> Owner {
        guard let owner else { throw InputError("The job names no user.") }
        return owner
    }
}
