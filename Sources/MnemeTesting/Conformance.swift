/// A requirement of every `Subject`, as a check that a test runs on an implementation of one's own.
///
/// A check knows nothing but the protocol, and needs no test framework: it throws
/// ``ConformanceFailure`` where a requirement is not met.
///
/// ```swift
/// @Test(arguments: EmbedderConformance.all)
/// func `conforms`(check: EmbedderConformance) async throws { try await check.run(MyEmbedder()) }
/// ```
///
/// The suites: ``MemoryStoreConformance`` (jobs among it), ``EmbedderConformance``,
/// ``KVTierConformance``, ``KVCodecConformance``, ``RecipeConformance`` and one for each stage of a
/// recipe, ``ForgettingCurveConformance``.
public struct Conformance<Subject: Sendable>: Sendable, CustomStringConvertible {
    /// The requirement, as a sentence.
    public let description: String
    /// The calls that show it; they throw where the subject does not do as required.
    private let body: @Sendable (Subject) async throws -> Void

    /// A requirement and the calls that show it.
    init(_ description: String, _ body: @escaping @Sendable (Subject) async throws -> Void) {
        self.description = description
        self.body = body
    }

    /// Runs the check.
    ///
    /// - Throws: ``ConformanceFailure`` if the requirement is not met, and what the subject throws.
    public func run(_ subject: Subject) async throws { try await body(subject) }
}

/// A requirement that is not met.
public struct ConformanceFailure: Error, CustomStringConvertible {
    /// The expectation that does not hold, by file and line of the suite.
    public let description: String
}

/// Fails unless the condition holds.
///
/// - Parameter about: what was asked of the subject, for the message.
/// - Throws: ``ConformanceFailure`` with file and line of the expectation; what the condition itself
///   throws.
func expect(
    _ condition: @autoclosure () throws -> Bool, _ about: @autoclosure () -> String = "",
    file: String = #fileID, line: Int = #line
) throws {
    guard try condition() else {
        let about = about()
        throw ConformanceFailure(
            description: "The expectation at \(file):\(line) does not hold"
                + (about.isEmpty ? "." : ": \(about)."))
    }
}

/// The value, if there is one.
///
/// - Throws: ``ConformanceFailure`` with file and line where it is missing.
func require<T>(
    _ value: @autoclosure () throws -> T?, file: String = #fileID, line: Int = #line
) throws -> T {
    guard let value = try value() else {
        throw ConformanceFailure(description: "The value at \(file):\(line) is missing.")
    }
    return value
}
