import Foundation

/// `tokenizer.json` of the `tokenizers` library, as far as byte-level BPE goes.
///
/// Format: https://github.com/huggingface/tokenizers
enum TokenizerJSON {
    /// The tokenizer of a model's folder.
    ///
    /// - Throws: ``ModelError`` for kinds that are not read.
    static func read(folder: String) throws -> ByteLevelTokenizer {
        let path = folder + "/tokenizer.json"
        guard let data = FileManager.default.contents(atPath: path) else { throw ModelError(.missingFile, "\(path) is not there.") }
        func fault(_ what: String) -> ModelError { ModelError(.invalidFile, "\(path) \(what). Fetch it again.") }
        guard let json = try? JSONSerialization.jsonObject(with: data) as? [String: Any], let model = json["model"] as? [String: Any] else {
            throw fault("is not a tokenizer")
        }
        guard model["type"] as? String ?? "BPE" == "BPE", let vocabulary = model["vocab"] as? [String: Int] else {
            throw ModelError(.unsupported, "\(path) is a '\(model["type"] as? String ?? "unknown")' tokenizer; byte-level BPE is read.")
        }
        guard let preTokenizer = rules(json["pre_tokenizer"]) else {
            throw ModelError(.unsupported, "\(path) cuts text by rules that are not known; those of gpt-2, smollm, llama-3 and qwen2 are.")
        }
        let added = json["added_tokens"] as? [[String: Any]] ?? []
        let highest = max(vocabulary.values.max() ?? -1, added.compactMap { $0["id"] as? Int }.max() ?? -1)
        guard highest >= 0, highest < 1 << 22, vocabulary.values.allSatisfy({ $0 >= 0 }) else { throw fault("has ids out of range") }
        var tokens = [String](repeating: "", count: highest + 1), special: [Int32] = [], hidden: Set<Int32> = []
        for (token, id) in vocabulary { tokens[id] = token }
        for entry in added {
            guard let id = entry["id"] as? Int, let content = entry["content"] as? String, tokens.indices.contains(id) else { continue }
            tokens[id] = content
            special.append(Int32(id))
            if entry["special"] as? Bool ?? false { hidden.insert(Int32(id)) }
        }
        let merges = try (model["merges"] as? [Any] ?? []).map { merge -> String in
            if let text = merge as? String { return text }
            guard let pair = merge as? [String], pair.count == 2 else { throw fault("has a merge of no pair") }
            return pair.joined(separator: " ")
        }
        func id(_ name: String?) -> Int32? { name.flatMap { name in special.first { tokens[Int($0)] == name } } }
        let settings =
            (FileManager.default.contents(atPath: folder + "/tokenizer_config.json")).flatMap {
                try? JSONSerialization.jsonObject(with: $0) as? [String: Any]
            } ?? [:]
        func setting(_ key: String) -> String? { settings[key] as? String ?? (settings[key] as? [String: Any])?["content"] as? String }
        var ends = Set([id(setting("eos_token"))].compactMap(\.self))
        for name in ["<|im_end|>", "<|eot_id|>", "<|end|>", "<|endoftext|>"] { if let token = id(name) { ends.insert(token) } }
        return try ByteLevelTokenizer(
            tokens: tokens, merges: merges, preTokenizer: preTokenizer, specialTokens: special, hidden: hidden, endTokens: ends,
            beginToken: settings["add_bos_token"] as? Bool ?? false ? id(setting("bos_token")) : nil, path: path)
    }

    /// The known rules that a `pre_tokenizer` stands for.
    private static func rules(_ value: Any?) -> PreTokenizer? {
        guard let object = value as? [String: Any] else { return nil }
        let parts = object["type"] as? String == "Sequence" ? object["pretokenizers"] as? [[String: Any]] ?? [] : [object]
        let byteLevel = parts.first { $0["type"] as? String == "ByteLevel" }
        guard let byteLevel, byteLevel["add_prefix_space"] as? Bool != true else { return nil }
        if let split = parts.first(where: { $0["type"] as? String == "Split" }), let pattern = (split["pattern"] as? [String: Any])?["Regex"] as? String {
            let modern = #"[^\r\n\p{L}\p{N}]?\p{L}+"#
            guard pattern.contains(modern) else { return nil }
            return pattern.contains(#"\p{N}{1,3}"#) ? .llama3 : pattern.contains(#"|\p{N}|"#) ? .qwen2 : nil
        }
        if let digits = parts.first(where: { $0["type"] as? String == "Digits" }) { return digits["individual_digits"] as? Bool == true ? .smollm : nil }
        return byteLevel["use_regex"] as? Bool != false ? .gpt2 : nil
    }
}

extension ModelFolder {
    /// The folder's tokenizer.
    ///
    /// - Throws: ``ModelError`` for kinds that are not read.
    public func tokenizer() throws -> any Tokenizer { try TokenizerJSON.read(folder: path) }

    /// The Jinja template that turns messages into a prompt.
    public var chatTemplate: String? {
        if let text = try? String(contentsOfFile: path + "/chat_template.jinja", encoding: .utf8) { return text }
        let settings = FileManager.default.contents(atPath: path + "/tokenizer_config.json").flatMap {
            try? JSONSerialization.jsonObject(with: $0) as? [String: Any]
        }
        return settings?["chat_template"] as? String
    }
}
