import Foundation
import MnemeStore

/// What all checks use: principals, samples, expectations.
extension MemoryStoreConformance {
    static let alice = Owner(user: "alice"), bob = Owner(user: "bob")

    static func check(_ name: String, _ body: @escaping @Sendable (any MemoryStore) throws -> Void)
        -> MemoryStoreConformance
    {
        MemoryStoreConformance(description: name, body: body)
    }

    static func at(_ seconds: Double) -> Caller {
        Caller(
            Principal(name: "test", permissions: Set(Permission.allCases)), reason: "conformance",
            time: Date(timeIntervalSince1970: seconds))
    }

    static func sample(_ text: String, session: String? = nil) -> MemCube {
        MemCube(
            scope: Scope(user: "alice", session: session), type: .episodic, text: text,
            eventTime: Date(timeIntervalSince1970: 1_700_000_000),
            recordedTime: Date(timeIntervalSince1970: 1_700_000_100),
            provenance: Provenance(source: "test"))
    }

    static func add(_ cube: MemCube) -> Mutation {
        .add(cube, analysis: [1, 0, 0, 0, 1], contentHash: Array(cube.text.utf8))
    }
    static func update(_ cube: MemCube) -> Mutation {
        .update(cube, analysis: [2, 0, 0, 0, 1], contentHash: Array(cube.text.utf8))
    }

    static func expect(
        _ condition: @autoclosure () throws -> Bool, file: String = #fileID, line: Int = #line
    ) throws {
        guard try condition() else {
            throw Failure(description: "The expectation at \(file):\(line) does not hold.")
        }
    }

    static func require<T>(
        _ value: @autoclosure () throws -> T?, file: String = #fileID, line: Int = #line
    ) throws -> T {
        guard let value = try value() else {
            throw Failure(description: "The value at \(file):\(line) is missing.")
        }
        return value
    }

    static func expectRefusal(file: String = #fileID, line: Int = #line, _ body: () throws -> Void)
        throws
    {
        do { try body() } catch is AccessError { return }
        throw Failure(description: "A refusal was expected at \(file):\(line).")
    }

    static func expectError(
        _ code: StoreError.Code, file: String = #fileID, line: Int = #line,
        _ body: () throws -> Void
    ) throws {
        do { try body() } catch let error as StoreError where error.code == code { return }
        throw Failure(description: "'\(code.rawValue)' was expected at \(file):\(line).")
    }
}
