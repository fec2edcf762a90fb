public import Mneme
public import MnemeCube
public import MnemeKV

/// KV cache blocks on a server that machines share, as memory that was derived from memories: what
/// was computed from them is erased there with them, whether an engine uses it now or not.
///
/// Nothing is connected until something is erased or searched for.
public struct RemoteMemory: DerivedMemory {
    private let place: String, advice: String
    private let open: @Sendable () throws -> RedisTier
    /// None: it lies on another machine.
    public var files: [String] { [] }

    /// - Parameters:
    ///   - place: what messages call the server, without a password.
    ///   - advice: what to do where it cannot be reached, as a sentence.
    ///   - open: connects.
    public init(place: String, advice: String, open: @escaping @Sendable () throws -> RedisTier) {
        (self.place, self.advice, self.open) = (place, advice, open)
    }

    /// Erases blocks that were computed from any of these memories, and these kept texts.
    ///
    /// - Throws: `KVError` that says what may be left, and what to do.
    public func erase(madeOf sources: Set<String>, _ activations: [ActivationReference]) throws {
        try reaching { tier in
            try tier.erase(sources: sources)
            for activation in activations { if let end = KVHash(activation.block) { try tier.erase(text: end) } }
        }
    }

    /// Looks at the beginning of every block there.
    public func search(madeOf sources: Set<String>) throws -> [RemoteSearch] {
        try reaching { tier in
            let (found, searched) = try tier.search(madeOf: sources)
            return [RemoteSearch(place: place, searched: searched, found: found)]
        }
    }

    private func reaching<T>(_ body: (RedisTier) throws -> T) throws -> T {
        do { return try body(open()) } catch let error as KVError {
            throw KVError.unreached(place, error, advice)
        }
    }
}
