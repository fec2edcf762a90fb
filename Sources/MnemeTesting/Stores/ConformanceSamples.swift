import Foundation
import MnemeStore

/// Samples and expectations that the checks share.
///
/// Times are fixed, counted in seconds from 1970, so that a check never waits and never depends on
/// the machine's clock. Expectations throw ``Failure`` with file and line; they do not need a test
/// framework, so that a backend can run the suite from any.
extension MemoryStoreConformance {
    /// Two owners of one tenant. Nearly all checks write as Alice, and look from Bob's side for
    /// what must not be there.
    static let alice = Owner(user: "alice"), bob = Owner(user: "bob")

    /// A requirement and the calls that show it.
    ///
    /// - Parameters:
    ///   - name: the requirement as a sentence; it is the name of the test.
    ///   - body: gets an empty store, and throws ``Failure`` or an error of the store.
    static func check(_ name: String, _ body: @escaping @Sendable (any MemoryStore) throws -> Void)
        -> MemoryStoreConformance
    {
        MemoryStoreConformance(description: name, body: body)
    }

    /// A caller with all permissions at a time, named `test`, for the reason `conformance`; journal
    /// and audit log must show both.
    static func at(_ seconds: Double) -> Caller {
        Caller(
            Principal(name: "test", permissions: Set(Permission.allCases)), reason: "conformance",
            time: Date(timeIntervalSince1970: seconds))
    }

    /// An episodic cube of Alice's whose event time and recorded time differ, so that a store that
    /// mixes them up is found.
    ///
    /// - Parameter session: the conversation it belongs to; none if nil.
    static func sample(_ text: String, session: String? = nil) -> MemCube {
        MemCube(
            scope: Scope(user: "alice", session: session), type: .episodic, text: text,
            eventTime: Date(timeIntervalSince1970: 1_700_000_000),
            recordedTime: Date(timeIntervalSince1970: 1_700_000_100),
            provenance: Provenance(source: "test"))
    }

    /// An addition. Its content hash follows from the text, so that equal texts are duplicates; its
    /// analysis is five bytes that an index must get back unchanged.
    static func add(_ cube: MemCube) -> Mutation {
        .add(cube, analysis: [1, 0, 0, 0, 1], contentHash: Array(cube.text.utf8))
    }
    /// A next version of a cube. The analysis differs from that of ``add(_:)``, so that a store
    /// that keeps the old index terms is found.
    static func update(_ cube: MemCube) -> Mutation {
        .update(cube, analysis: [2, 0, 0, 0, 1], contentHash: Array(cube.text.utf8))
    }

    /// Fails unless the call is refused with an ``AccessError``. A store that answers with an empty
    /// list or with "not found" does not pass: a refusal is typed, and noted in the audit log.
    static func expectRefusal(file: String = #fileID, line: Int = #line, _ body: () throws -> Void)
        throws
    {
        do { try body() } catch is AccessError { return }
        throw Failure(description: "A refusal was expected at \(file):\(line).")
    }

    /// Fails unless the call throws a ``StoreError`` of this code. Other errors are passed on, so
    /// that the report shows what the store said instead.
    static func expectError(
        _ code: StoreError.Code, file: String = #fileID, line: Int = #line,
        _ body: () throws -> Void
    ) throws {
        do { try body() } catch let error as StoreError where error.code == code { return }
        throw Failure(description: "'\(code.rawValue)' was expected at \(file):\(line).")
    }
}
