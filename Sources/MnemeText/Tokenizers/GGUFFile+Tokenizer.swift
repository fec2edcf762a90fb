import MnemeBase
public import MnemeFormats

extension GGUFFile {
    /// Tokenizer in the file's metadata, keys `tokenizer.ggml.…`: byte-level BPE (`gpt2`),
    /// SentencePiece BPE (`llama`) or unigram (`t5`).
    ///
    /// A kind or a set of pre-tokenization rules that is not known is refused, not approximated: a
    /// prompt cut in another way than in training makes a model worse without any error.
    ///
    /// - Throws: ``ModelError`` for kinds that are not read and vocabularies that do not fit.
    public func tokenizer() throws -> any Tokenizer { try tokenizer(preTokenizer: nil) }

    /// Tokenizer in the file, with other pre-tokenization rules if asked for.
    ///
    /// - Parameter other: instead of the file's own rules; tests try all rules on one vocabulary.
    ///   Composition and whole pieces, which belong to the file's rules, are then off.
    package func tokenizer(preTokenizer other: PreTokenizer?) throws -> any Tokenizer {
        let model = string("tokenizer.ggml.model") ?? "none"
        if model == "llama" { return try sentencePieceTokenizer(.bpe) }
        if model == "t5" { return try sentencePieceTokenizer(.unigram) }
        guard model == "gpt2" else {
            throw ModelError(
                .unsupported,
                "\(path) has a tokenizer of the kind '\(model.prefix(40))'; byte-level BPE ('gpt2') and SentencePiece ('llama', 't5') are read."
            )
        }
        let rules = string("tokenizer.ggml.pre") ?? "none"
        guard let preTokenizer = other ?? PreTokenizer(gguf: rules) else {
            throw ModelError(
                .unsupported,
                "\(path) cuts text by the rules '\(rules.prefix(40))'; those of gpt-2, smollm, llama-bpe and qwen2 are known."
            )
        }
        let tokens = try strings("tokenizer.ggml.tokens")
        let merges = try strings("tokenizer.ggml.merges")
        guard !tokens.isEmpty else {
            throw ModelError(.invalidFile, "\(path) has no vocabulary. Is it a whole model?")
        }
        // Token types: 3 is control, 4 user-defined.
        var special: [Int32] = []
        var hidden: Set<Int32> = []
        for (i, value) in (array("tokenizer.ggml.token_type") ?? []).enumerated()
        where i < tokens.count {
            if case .integer(let type) = value, type == 3 || type == 4 {
                special.append(Int32(i))
                if type == 3 { hidden.insert(Int32(i)) }
            }
        }
        /// Token id in the metadata; nil where it is missing or outside of the vocabulary.
        func token(_ key: String) -> Int32? {
            integer("tokenizer.ggml.\(key)").flatMap {
                tokens.indices.contains($0) ? Int32($0) : nil
            }
        }
        // Files of chat models often name the end of a text as their only end, while the model ends
        // its turn with another token: known names are ends too.
        var ends = Set([token("eos_token_id"), token("eot_token_id")].compactMap(\.self))
        for name in SpecialTokens.endNames {
            if let i = special.first(where: { tokens[Int($0)] == name }) { ends.insert(i) }
        }
        return try ByteLevelTokenizer(
            tokens: tokens, merges: merges, ignoresMerges: other == nil && rules == "llama-bpe",
            preTokenizer: preTokenizer,
            composes: other == nil && rules == "qwen2", specialTokens: special, hidden: hidden,
            endTokens: ends,
            beginToken: bool("tokenizer.ggml.add_bos_token") ?? false ? token("bos_token_id") : nil,
            path: path)
    }

    /// Strings of a metadata array; empty where the key is missing.
    ///
    /// - Throws: ``ModelError`` where an element is no string.
    private func strings(_ key: String) throws -> [String] {
        try (array(key) ?? []).map { value in
            guard case .string(let text) = value else {
                throw ModelError(
                    .invalidFile, "'\(key)' of \(path) is not a list of strings. Fetch it again.")
            }
            return text
        }
    }

    /// SentencePiece tokenizer of the file.
    ///
    /// Defaults are those of llama.cpp where a file lacks a key: a space goes before the text, runs
    /// of spaces stay, and BPE models begin with their begin token.
    ///
    /// - Throws: ``ModelError`` where tokens, scores and types differ in number, or where the map
    ///   of characters is not sound.
    private func sentencePieceTokenizer(_ model: SentencePieceTokenizer.Model) throws
        -> SentencePieceTokenizer
    {
        let tokens = try strings("tokenizer.ggml.tokens")
        let scores = (array("tokenizer.ggml.scores") ?? []).map {
            if case .float(let score) = $0 { Float(score) } else { Float(0) }
        }
        let kinds = (array("tokenizer.ggml.token_type") ?? []).map {
            if case .integer(let kind) = $0 { Int(clamping: kind) } else { 1 }
        }
        func token(_ key: String) -> Int32? {
            integer("tokenizer.ggml.\(key)").flatMap {
                tokens.indices.contains($0) ? Int32($0) : nil
            }
        }
        var ends = Set([token("eos_token_id"), token("eot_token_id")].compactMap(\.self))
        for name in SpecialTokens.endNames {
            if let i = tokens.firstIndex(of: name) { ends.insert(Int32(i)) }
        }
        let map = (array("tokenizer.ggml.precompiled_charsmap") ?? []).map {
            if case .integer(let byte) = $0 { UInt8(truncatingIfNeeded: byte) } else { UInt8(0) }
        }
        guard map.isEmpty || SentencePieceNormalizer.CharacterMap(map) != nil else {
            throw ModelError(
                .invalidFile, "The character map of \(path) is not sound. Fetch it again.")
        }
        return try SentencePieceTokenizer(
            model: model, tokens: tokens, scores: scores, kinds: kinds,
            normalizer: SentencePieceNormalizer(
                addsSpace: bool("tokenizer.ggml.add_space_prefix") ?? true,
                collapsesSpaces: bool("tokenizer.ggml.remove_extra_whitespaces") ?? false,
                map: SentencePieceNormalizer.CharacterMap(map)), endTokens: ends,
            beginToken: bool("tokenizer.ggml.add_bos_token") ?? (model == .bpe)
                ? token("bos_token_id") : nil,
            unknown: token("unknown_token_id") ?? 0,
            // Phi-3's files do not say that whitespace after the names of roles is swallowed, as
            // the published tokenizer does.
            stripping: string("general.architecture") == "phi3"
                ? Set(tokens.filter(SpecialTokens.isControl)).union(["</s>"]).subtracting([
                    "<|endoftext|>"
                ]) : [],
            path: path)
    }

    /// Jinja chat template that turns messages into a prompt (see ``ChatTemplate``); nil in files
    /// of base models.
    public var chatTemplate: String? { string("tokenizer.chat_template") }
}
