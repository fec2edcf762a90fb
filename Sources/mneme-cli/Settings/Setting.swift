import Foundation
import MnemeRecipes

/// A setting: a key of the settings' file, a variable of the environment, and an option of the
/// commands that use it.
struct Setting: Sendable {
    /// The kind of a value.
    enum Kind: Sendable {
        case text
        case whole(ClosedRange<Int>)
        case number(ClosedRange<Double>)
        case choice([String])
        /// Texts; with commas between them in the environment.
        case list
    }
    /// The key in the file; the option is called so with dashes.
    let name: String
    let kind: Kind
    /// The value where nothing sets it; nil if there is none.
    let fallback: String?
    let help: String

    private init(_ name: String, _ kind: Kind, _ fallback: String?, _ help: String) {
        (self.name, self.kind, self.fallback, self.help) = (name, kind, fallback, help)
    }
    /// A setting without a value of its own.
    private init(_ name: String, _ kind: Kind, _ help: String) {
        self.init(name, kind, nil, help)
    }

    /// The variable of the environment: `MNEME_RATE_LIMIT`.
    var variable: String { "MNEME_" + name.uppercased() }

    /// The form that a value must have, if this is none; nil if it is right.
    func complaint(_ text: String) -> String? {
        switch kind {
        case .text: text.isEmpty ? "a text" : nil
        case .list: nil
        case .whole(let range):
            Int(text).map(range.contains) == true
                ? nil : "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .number(let range):
            Double(text).map(range.contains) == true
                ? nil : "a number from \(range.lowerBound) to \(range.upperBound)"
        case .choice(let words):
            words.contains(text) ? nil : "one of \(words.joined(separator: ", "))"
        }
    }

    /// A value as it may be shown: passwords in addresses are left out.
    static func shown(_ text: String) -> String {
        text.replacing(/:\/\/[^@\/]*@/, with: "://…@")
    }
}

extension Setting {
    static let store = Setting(
        "store", .text, "The store: a file, or postgres://USER@HOST/DATABASE.")
    static let indexFolder = Setting(
        "index_folder", .text, "Folder of index files, where the store is a database.")
    static let host = Setting("host", .text, "127.0.0.1", "Address that `serve` listens on.")
    static let port = Setting("port", .whole(0...65535), "8420", "Its port; 0 is any.")
    static let model = Setting(
        "model", .text, "Language model of `serve`; `chat` and others take smollm2 otherwise.")
    static let context = Setting(
        "context", .whole(1...100_000_000), "Tokens of a prompt and its answer together.")
    static let embedder = Setting(
        "embedder", .text, "minilm",
        "Embedding model: minilm, a folder, or an endpoint's URL#MODEL; none recalls by words alone.")
    static let recipe = Setting(
        "recipe", .choice(RecipeCatalog.names), RecipeCatalog.standardCard.name,
        "How memory works: a published system of `mneme recipes`.")
    static let rateLimit = Setting(
        "rate_limit", .whole(0...1_000_000_000), "6000",
        "Requests a minute for each key; 0 sets no limit.")
    static let advertise = Setting(
        "advertise", .text, "Address that others reach `serve` by, where servers share a database.")
    static let maxBody = Setting("max_body", .whole(1...1024), "16", "The largest request, in MiB.")
    static let allowOrigin = Setting(
        "allow_origin", .list, "Addresses whose pages a browser may use the server for.")
    static let certificate = Setting("certificate", .text, "File of the TLS certificate (PEM).")
    static let privateKey = Setting("private_key", .text, "File of its private key (PEM).")
    static let jwks = Setting("jwks", .text, "File of keys that tokens (JWT) are signed with.")
    static let issuer = Setting("issuer", .text, "What a token's issuer must be.")
    static let audience = Setting(
        "audience", .text, "mneme", "What a token's audience must hold.")
    static let traces = Setting(
        "traces", .text, "Collector or file that traces are sent to (OpenTelemetry).")
    static let kvMemory = Setting(
        "kv_memory", .number(0.001...100_000), "GiB of memory for the KV cache.")
    static let kvDisk = Setting(
        "kv_disk", .number(0...1_000_000), "4", "GiB of disk for the KV cache.")
    static let kvCodec = Setting(
        "kv_codec", .choice(["f16", "int8", "int4", "int2"]), "f16",
        "How the KV cache is kept on disk.")
    static let kvRemote = Setting(
        "kv_remote", .text, "Redis server that machines share their KV cache through.")
    static let kvRemoteMemory = Setting(
        "kv_remote_memory", .number(0...1_000_000),
        "GiB that blocks may take there; 0 leaves it to the server; what it was told last, if left out.")
    static let kvReuse = Setting(
        "kv_reuse", .number(0...1), "Share of recalled memories' tokens that chats compute again.")
    static let kvPolicy = Setting(
        "kv_policy", .text, "full", "Which rows of the KV cache answers keep behind the prompt.")
    static let kvBudget = Setting(
        "kv_budget", .number(0...1_000_000_000), "0.25",
        "Share of the prompt's tokens that the policy keeps, or their number above 1.")
    static let kvType = Setting(
        "kv_type", .choice(["f16", "int8", "int4"]), "f16",
        "How answers keep the KV cache in memory.")
    static let oracle = Setting(
        "oracle", .text, "OpenAI-compatible server that jobs ask; memories are sent there.")
    static let oracleModel = Setting("oracle_model", .text, "What that server calls its model.")
    static let server = Setting(
        "server", .text, "A running server that `remember`, `recall` and the like speak to.")

    /// All settings, in the order in which they are shown.
    static let all = [
        store, indexFolder, host, port, model, context, embedder, recipe, rateLimit, advertise, maxBody, allowOrigin,
        certificate,
        privateKey, jwks, issuer, audience, traces, kvMemory, kvDisk, kvCodec, kvRemote, kvRemoteMemory, kvReuse,
        kvPolicy, kvBudget, kvType,
        oracle, oracleModel, server,
    ]
}
