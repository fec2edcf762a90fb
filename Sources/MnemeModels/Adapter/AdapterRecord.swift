public import Foundation
import MnemeBase

/// Facts of an adapter besides its weights: `mneme.json` in the adapter's folder.
///
/// Only name and base are always there.
public struct AdapterRecord: Sendable, Equatable, Codable {
    /// The adapter's name, which requests use.
    public var name: String
    /// The name of the model that it was made for, as `mneme pull` and `mneme models` have it.
    public var base: String
    /// SHA-256 of that model's files (`ModelIdentity.hash`); nil if it was not known.
    public var baseHash: String?
    /// Ids of the memories that it was made from.
    public var memories: [String]
    /// The owner of these memories; nil for adapters that were imported.
    public var owner: String?
    /// The time it was made or imported.
    public var created: Date?
    /// Where it was imported from.
    public var source: String?
    /// Figures of the training, such as `steps`, `loss`, `heldOutLoss`, `tokens`, `seconds`.
    public var training: [String: Double]
    /// Why it may not be used any more, such as an erased memory; nil while it may.
    public var withdrawn: String?

    /// The memory that stands for it in a store; nil in records of before there were any.
    public var cube: Cube?

    /// Where the memory is that stands for an adapter.
    public struct Cube: Sendable, Equatable, Codable {
        /// Its id; nil until it is made.
        public var id: String?
        /// Whose it is.
        public var user: String
        /// The user's tenant.
        public var tenant: String
        /// The store; nil is the usual one.
        public var store: String?

        /// The place of a memory that is not made yet.
        public init(user: String = "default", tenant: String = "default", store: String? = nil) {
            (self.user, self.tenant, self.store) = (user, tenant, store)
        }
    }

    /// A record with what must be there.
    public init(name: String, base: String) {
        (self.name, self.base) = (name, base)
        (memories, training) = ([], [:])
    }

    /// Reads a record; members that older versions did not write are empty.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        name = try values.decode(String.self, forKey: .name)
        base = try values.decode(String.self, forKey: .base)
        baseHash = try values.decodeIfPresent(String.self, forKey: .baseHash)
        memories = try values.decodeIfPresent([String].self, forKey: .memories) ?? []
        owner = try values.decodeIfPresent(String.self, forKey: .owner)
        created = try values.decodeIfPresent(Date.self, forKey: .created)
        source = try values.decodeIfPresent(String.self, forKey: .source)
        training = try values.decodeIfPresent([String: Double].self, forKey: .training) ?? [:]
        withdrawn = try values.decodeIfPresent(String.self, forKey: .withdrawn)
        cube = try values.decodeIfPresent(Cube.self, forKey: .cube)
    }

    /// The JSON of `mneme.json`.
    var json: Data {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            encoder.dateEncodingStrategy = .iso8601
            return try encoder.encode(self)
        }
    }

    /// Reads `mneme.json`.
    ///
    /// - Throws: `DecodingError`.
    init(json: Data) throws {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        self = try decoder.decode(AdapterRecord.self, from: json)
    }
}
