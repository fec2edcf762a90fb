import NIOConcurrencyHelpers

/// The state of reading a text by a schema: all ways to read it so far. Copies go on alone.
package struct JSONMatcher: Sendable {
    /// The schema's machine, which all its matchers share with what it has found out so far.
    let machine: SharedMachine
    /// The machine's configuration behind the bytes read; ``SchemaMachine/dead`` behind a wrong
    /// one.
    private(set) var configuration: Int32

    /// A state, equal where the same may follow.
    package struct State: Sendable, Hashable {
        private let machine: ObjectIdentifier
        private let configuration: Int32

        fileprivate init(_ matcher: JSONMatcher) {
            machine = ObjectIdentifier(matcher.machine)
            configuration = matcher.configuration
        }
    }

    /// A matcher at the beginning of a text.
    package init(_ schema: JSONSchema) {
        machine = schema.machine
        configuration = machine.box.withLockedValue { $0.start }
    }

    /// All that decides what may follow, among matchers of the same schema.
    package var state: State { State(self) }

    /// True if the text may end here.
    package var isComplete: Bool {
        machine.box.withLockedValue { $0.isComplete(configuration) }
    }

    /// True if any character of a string may come next, as far as its pattern lets it.
    package var isInString: Bool { machine.box.withLockedValue { $0.isInString(configuration) } }

    /// Bytes of the shortest text that may follow to the end.
    package var bytesToEnd: Int { machine.box.withLockedValue { $0.bytesToEnd(configuration) } }

    /// The shortest text that may follow to the end; nil if it is too long to be kept in mind, or
    /// deeper than values may be.
    package var shortestEnd: [UInt8]? {
        guard let text = machine.box.withLockedValue({ $0.shortestEnd(configuration) }) else {
            return nil
        }
        var after = self
        return after.advance(text) && after.isComplete ? text : nil
    }

    package var room: Int? { machine.box.withLockedValue { $0.room(configuration) } }

    /// Takes bytes; false, and no way is left, if they do not fit.
    package mutating func advance(_ bytes: [UInt8]) -> Bool {
        configuration = machine.box.withLockedValue { machine in
            bytes.reduce(configuration) {
                $0 < 0 ? SchemaMachine.dead : machine.step($0, $1)
            }
        }
        return configuration >= 0
    }

    /// Takes a byte; false, and no way is left, if it does not fit.
    package mutating func advance(_ byte: UInt8) -> Bool {
        guard configuration >= 0 else { return false }
        configuration = machine.box.withLockedValue { $0.step(configuration, byte) }
        return configuration >= 0
    }
}

/// A machine that several matchers use, each from its own thread if need be.
final class SharedMachine: Sendable {
    /// The machine behind a lock, as following a text also extends it.
    let box: NIOLockedValueBox<SchemaMachine>

    init(_ grammar: SchemaGrammar) { box = NIOLockedValueBox(SchemaMachine(grammar)) }
}
