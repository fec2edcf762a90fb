import Foundation
import MnemeBase

/// PEFT's `adapter_config.json`: ranks and scales by module, and whether rows have lengths of their own.
/// Settings that would make an adapter another thing are refused by name.
///
/// Format: https://huggingface.co/docs/peft/package_reference/lora
struct AdapterConfiguration {
    var rank = 8
    var alpha = 8.0
    /// Scales by alpha / √rank instead of alpha / rank (rsLoRA).
    var usesRankStabilizedScale = false
    /// Each module has a vector of rows' lengths (DoRA).
    var hasMagnitudes = false
    /// By patterns of module names; the first that fits counts.
    var ranks: [(pattern: String, value: Int)] = []
    var alphas: [(pattern: String, value: Double)] = []
    /// The base model's name, as the file has it.
    var base: String?
    /// A kind that is not PEFT's; nil for low-rank adapters.
    private(set) var contents: (any AdapterContents.Type)?
    /// Kinds that are not PEFT's.
    static let kinds: [any AdapterContents.Type] = [ProcedureTokens.self, SideNetwork.self]

    /// Reads the file's JSON.
    ///
    /// - Throws: ``AdapterError`` that names what is wrong or not supported.
    init(_ json: OrderedJSON, path: String) throws {
        func fault(_ what: String) -> AdapterError {
            AdapterError(.invalidFile, "\(path) \(what). Fetch the adapter again.")
        }
        guard let members = json.members else { throw fault("is not a JSON object") }
        guard let kind = json["peft_type"]?.string else { throw fault("names no 'peft_type'") }
        if let own = Self.kinds.first(where: { $0.kind == kind }) {
            guard json["version"]?.integer == AdapterFiles.version else {
                throw AdapterError(
                    .unsupported,
                    "\(path) has another version than \(AdapterFiles.version) of '\(kind)'. Read it with a newer program, or train it again."
                )
            }
            (contents, base) = (own, json["base_model_name_or_path"]?.string)
            return
        }
        guard kind == "LORA" else {
            throw AdapterError(
                .unsupported,
                "\(path) describes an adapter of type '\(kind.prefix(40))'; LORA is read.")
        }
        for member in members {
            guard Self.isHarmless(member.key, member.value) else {
                throw AdapterError(
                    .unsupported,
                    """
                    \(path) has '\(member.key.prefix(60))' set to \(member.value.text.prefix(60)), which is not read. Train the \
                    adapter without it, or merge it into its model with PEFT.
                    """)
            }
        }
        base = json["base_model_name_or_path"]?.string
        if let value = json["r"] {
            guard let number = value.integer, (1...Adapter.maximumRank).contains(number) else {
                throw fault("has r = \(value.text.prefix(40)); 1 to \(Adapter.maximumRank) are taken")
            }
            rank = number
        }
        if let value = json["lora_alpha"] {
            guard let number = value.double else {
                throw fault("has lora_alpha = \(value.text.prefix(40)), which is no number")
            }
            alpha = number
        }
        usesRankStabilizedScale = json["use_rslora"]?.bool ?? false
        hasMagnitudes = json["use_dora"]?.bool ?? false
        func patterns<Value>(_ key: String, _ read: (OrderedJSON) -> Value?) throws -> [(
            pattern: String, value: Value
        )] {
            guard let value = json[key], value != .null else { return [] }
            guard let members = value.members else { throw fault("has a '\(key)' that is no object") }
            return try members.map { member in
                guard ModulePattern.isRead(member.key) else {
                    throw AdapterError(
                        .unsupported,
                        "\(path) has the pattern '\(member.key.prefix(60))' in '\(key)'; names of modules without regular expressions are read."
                    )
                }
                guard let value = read(member.value) else {
                    throw fault("has '\(key)' with a value of \(member.value.text.prefix(40))")
                }
                return (member.key, value)
            }
        }
        ranks = try patterns("rank_pattern") {
            $0.integer.flatMap { (1...Adapter.maximumRank).contains($0) ? $0 : nil }
        }
        alphas = try patterns("alpha_pattern", \.double)
    }

    /// A module's rank.
    func rank(of module: String) -> Int {
        ranks.first { ModulePattern.matches($0.pattern, module) }?.value ?? rank
    }

    /// The factor of a module's term.
    func scale(of module: String) -> Float {
        let alpha = alphas.first { ModulePattern.matches($0.pattern, module) }?.value ?? alpha
        let rank = Double(rank(of: module))
        return Float(alpha / (usesRankStabilizedScale ? rank.squareRoot() : rank))
    }

    /// Settings that say nothing of what an adapter computes, or that ``init(_:path:)`` reads.
    private static let read: Set<String> = [
        "peft_type", "base_model_name_or_path", "r", "lora_alpha", "use_rslora", "use_dora",
        "rank_pattern", "alpha_pattern", "peft_version", "revision", "inference_mode", "target_modules",
        "exclude_modules", "lora_dropout", "layers_to_transform", "layers_pattern", "loftq_config",
        "eva_config", "megatron_core", "qalora_group_size", "runtime_config", "auto_mapping",
        "ensure_weight_tying",
    ]

    /// True if a setting leaves the adapter one of low-rank terms. A setting that is not known
    /// does if it is off.
    private static func isHarmless(_ key: String, _ value: OrderedJSON) -> Bool {
        switch (key, value) {
        case (_, .null), (_, .bool(false)), (_, .array([])), (_, .object([])): true
        case ("task_type", .string("CAUSAL_LM")), ("bias", .string("none")): true
        // Other ways to begin (PiSSA, OLoRA, CorDA, …) change the model's own weights.
        case ("init_lora_weights", .bool(true)): true
        case ("init_lora_weights", .string(let way)): ["gaussian", "eva", "orthogonal"].contains(way)
        default: read.contains(key)
        }
    }
}

/// PEFT's patterns of module names: `re.match("(.*\.)?(PATTERN)$", name)`.
///
/// Only letters, digits, `_`, `-` and `.` are read, besides a `^` at the beginning: whatever else a
/// regular expression has could take forever.
enum ModulePattern {
    static func isRead(_ pattern: String) -> Bool {
        (pattern.hasPrefix("^") ? pattern.dropFirst() : pattern[...]).isPlainName
    }

    /// True if a name equals the pattern, or ends with it behind a point. A point in a pattern
    /// stands for any character, as it does in regular expressions.
    static func matches(_ pattern: String, _ name: String) -> Bool {
        // `^` inside of the group fits the beginning of the name alone.
        let isWhole = pattern.hasPrefix("^")
        let wanted = Array((isWhole ? pattern.dropFirst() : pattern[...]).utf8)
        let name = Array(name.utf8)
        let start = name.count - wanted.count
        let point = UInt8(ascii: ".")
        guard start == 0 || (start > 0 && !isWhole && name[start - 1] == point) else { return false }
        return zip(wanted, name[start...]).allSatisfy { $0 == $1 || $0 == point }
    }
}
