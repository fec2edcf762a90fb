public import Foundation

/// The unit of memory: a header, a payload and what became of both.
///
/// The parts' properties are the cube's own: `cube.tags` is `cube.header.tags`. JSON has them side
/// by side.
@dynamicMemberLookup
public struct MemCube: Sendable, Identifiable, Equatable {
    /// Its identity, ordered by creation.
    public var id: CubeID
    /// The part that its writer chooses.
    public var header: Header
    /// The content.
    public var payload: Payload
    /// Its provenance.
    public var provenance: Provenance
    /// Results of analysing the text; they can be found again.
    public var derived: Derived
    /// Its lifecycle: state, times and use.
    public var lifecycle: Lifecycle

    /// An active cube of version 1 with a text; the rest is set as properties.
    public init(
        id: CubeID = CubeID(), scope: Scope, type: MemoryType, text: String, speaker: String? = nil,
        eventTime: Date,
        recordedTime: Date, provenance: Provenance
    ) {
        self.id = id
        header = Header(scope: scope, type: type, speaker: speaker, eventTime: eventTime)
        payload = .plaintext(text)
        self.provenance = provenance
        derived = Derived()
        lifecycle = Lifecycle(recordedTime: recordedTime)
    }

    /// The payload's text.
    public var text: String {
        get { payload.text }
        set { payload.text = newValue }
    }

    /// The KV cache, if the cube stands for one. It is not recalled then.
    public var activation: ActivationReference? { payload.activation }

    /// The adapter, if the cube stands for one. It is not recalled then.
    public var adapter: AdapterReference? { payload.adapter }

    /// True if the payload is a text.
    public var isPlaintext: Bool { payload.isPlaintext }

    /// A property of the header.
    @inlinable
    public subscript<Value>(dynamicMember path: WritableKeyPath<Header, Value>) -> Value {
        get { header[keyPath: path] }
        set { header[keyPath: path] = newValue }
    }

    /// A property of what analysis found.
    @inlinable
    public subscript<Value>(dynamicMember path: WritableKeyPath<Derived, Value>) -> Value {
        get { derived[keyPath: path] }
        set { derived[keyPath: path] = newValue }
    }

    /// A property of the lifecycle.
    @inlinable
    public subscript<Value>(dynamicMember path: WritableKeyPath<Lifecycle, Value>) -> Value {
        get { lifecycle[keyPath: path] }
        set { lifecycle[keyPath: path] = newValue }
    }
}

/// In JSON the properties of all parts stand in one object, side by side.
extension MemCube: Codable {
    private enum CodingKeys: String, CodingKey { case id, provenance }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        id = try container.decode(CubeID.self, forKey: .id)
        header = try Header(from: decoder)
        payload = try Payload(from: decoder)
        provenance = try container.decode(Provenance.self, forKey: .provenance)
        derived = try Derived(from: decoder)
        lifecycle = try Lifecycle(from: decoder)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try header.encode(to: encoder)
        try payload.encode(to: encoder)
        try container.encode(provenance, forKey: .provenance)
        try derived.encode(to: encoder)
        try lifecycle.encode(to: encoder)
    }
}
