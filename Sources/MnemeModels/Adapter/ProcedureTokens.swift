import MnemeBase
import MnemeFormats

/// Procedures as learned tokens (TokMem, Wu et al. 2025) [61]: each is a row, or a few, of the size of the model's
/// hidden states. Behind a prompt such a row is the embedding that steers the answer; by its product with the
/// model's last state it is also the address by which a procedure is chosen. The model itself stays as it is.
///
/// The row `i` of all is the token vocabularySize + i.
public struct ProcedureTokens: Sendable, Equatable {
    /// Procedures of an adapter at most, and tokens of one.
    public static let most = 1024, mostTokens = 16

    /// Their names, in the order of their rows.
    public var names: [String]
    /// Rows of each procedure; the first one is its address.
    public var tokensEach: Int
    /// `names.count` × `tokensEach` rows of the hidden size.
    public var rows: [Float]

    /// Procedures; ``Adapter/check(_:)`` tells whether they fit a model.
    public init(names: [String], tokensEach: Int = 1, rows: [Float]) {
        (self.names, self.tokensEach, self.rows) = (names, tokensEach, rows)
    }

    /// True for a name that a procedure can have: 1 to 120 characters without control characters.
    public static func isName(_ name: String) -> Bool {
        (1...120).contains(name.count) && !name.unicodeScalars.contains { $0.properties.generalCategory == .control }
    }
}

extension ProcedureTokens: AdapterContents {
    static let kind = "MNEME_TOKENS"
    private static let tensor = "procedure_tokens"

    var parameters: Int { rows.count }

    var settings: [OrderedJSON.Member] {
        [
            OrderedJSON.Member(key: "procedures", value: .array(names.map { .string($0) })),
            OrderedJSON.Member(key: "tokens_each", value: .number(String(tokensEach))),
        ]
    }

    var tensors: [SafetensorsWriter.Tensor] {
        let count = names.count * tokensEach
        return [SafetensorsWriter.Tensor(Self.tensor, shape: [count, rows.count / max(1, count)], values: rows)]
    }

    init(_ files: AdapterFiles, for c: DecoderConfiguration) throws {
        tokensEach = try files.number("tokens_each", in: 1...Self.mostTokens)
        guard let list = files.json["procedures"]?.elements, (1...Self.most).contains(list.count) else {
            throw AdapterError(
                .invalidFile,
                "\(files.path) has no list of 1 to \(Self.most) 'procedures'. Fetch or train the adapter again.")
        }
        names = list.map { $0.string ?? "" }
        try files.requireOnly([Self.tensor])
        rows = try files.floats(Self.tensor, [names.count * tokensEach, c.hiddenSize])
    }

    func check(_ c: DecoderConfiguration) throws {
        guard (1...Self.most).contains(names.count), (1...Self.mostTokens).contains(tokensEach),
            Set(names).count == names.count, names.allSatisfy(Self.isName)
        else {
            throw AdapterError(
                .invalidFile,
                "The adapter's procedures have no names, or the same one twice. Fetch or train it again.")
        }
        guard rows.count == names.count * tokensEach * c.hiddenSize else {
            throw AdapterError(
                .wrongBase,
                "The adapter's tokens are not of \(c.hiddenSize) values as the model's are. It was made for another model."
            )
        }
        guard c.embeddingScale == 1, c.logitCap == nil else {
            throw AdapterError(
                .unsupported, "The model scales embeddings or caps logits; learned tokens are not read for such.")
        }
        guard rows.allSatisfy(\.isFinite) else {
            throw AdapterError(
                .invalidFile, "The adapter's tokens hold a value that is not finite. Fetch or train it again.")
        }
    }
}
