import Foundation
package import MnemeBase

/// Reader of `tokenizer.json` of the Hugging Face `tokenizers` library: byte-level BPE, and
/// SentencePiece's two models as the library writes them.
///
/// The file describes a pipeline of steps with free patterns. Instead of running any pipeline, the
/// reader recognizes those of the families that are supported and refuses others by name, since
/// cutting text differently than in training would make answers worse without an error.
///
/// Format: https://github.com/huggingface/tokenizers
package struct TokenizerJSON {
    /// Model's folder, and the file in it that messages name.
    private let folder, path: String
    /// Whole file, and its `model`.
    private let json, model: OrderedJSON
    /// `tokenizer_config.json`: names of begin and end tokens; null where the file is missing or
    /// cannot be read, because the tokenizer works without it.
    private let settings: OrderedJSON
    /// Tokens by id, empty for gaps; ids of added tokens; those of them that stand for no text
    /// (`special`); names of those that swallow whitespace after them (`rstrip`).
    private var tokens: [String] = [], special: [Int32] = [], hidden: Set<Int32> = [],
        stripping: Set<String> = []
    /// Entries of the model's vocabulary, without added tokens; BPE has no scores in the file.
    private var vocabulary: [(token: String, id: Int, score: Float)] = []

    /// Tokenizer of a model's folder. BPE with `byte_fallback` is SentencePiece's, without it
    /// byte-level.
    ///
    /// - Throws: ``ModelError`` for files that are missing or broken and for kinds that are not
    ///   read.
    package static func read(folder: String) throws -> any Tokenizer {
        let path = folder + "/tokenizer.json"
        guard let data = FileManager.default.contents(atPath: path) else {
            throw ModelError(.missingFile, "\(path) is not there.")
        }
        let json: OrderedJSON
        do { json = try Self.json(data) } catch {
            throw ModelError(
                .invalidFile, "\(path) is not a tokenizer: \(error.message) Fetch it again.")
        }
        return try TokenizerJSON(folder: folder, json).tokenizer()
    }

    /// Tokenizer of an encoder's folder, with the tokens that its post-processor puts before and
    /// after a text.
    ///
    /// - Parameter json: what the folder's `tokenizer.json` holds.
    /// - Throws: ``ModelError`` as ``read(folder:)``, and for post-processors that are not known.
    package static func readFramed(folder: String, _ json: OrderedJSON) throws -> (
        tokenizer: any Tokenizer, begin: [Int32], end: [Int32]
    ) {
        let file = try TokenizerJSON(folder: folder, json)
        let frame = try file.frame()
        return (try file.tokenizer(), frame.begin, frame.end)
    }

    /// The tokenizer that the file describes.
    private func tokenizer() throws -> any Tokenizer {
        if model["type"]?.string == "Unigram" { return try sentencePiece(.unigram) }
        if model["byte_fallback"]?.bool == true { return try sentencePiece(.bpe) }
        return try byteLevel()
    }

    /// The tokens around a single text: those of a template, or the class and separator tokens of
    /// BERT's and RoBERTa's post-processors.
    private func frame() throws -> (begin: [Int32], end: [Int32]) {
        var begin: [Int32] = []
        var end: [Int32] = []
        func token(_ name: String?) throws -> Int32 {
            guard let id = id(name) else { throw fault("puts a token around texts that it lacks") }
            return id
        }
        let part = json["post_processor"] ?? .null
        for step in part["processors"]?.elements ?? [part] {
            switch step["type"]?.string {
            case "TemplateProcessing":
                var isBehind = false
                for piece in step["single"]?.elements ?? [] {
                    if piece["Sequence"] != nil {
                        isBehind = true
                    } else {
                        let id = try token(piece["SpecialToken"]?["id"]?.string)
                        if isBehind { end.append(id) } else { begin.append(id) }
                    }
                }
            case "BertProcessing", "RobertaProcessing":
                begin.append(try token(step["cls"]?.elements?.first?.string))
                end.append(try token(step["sep"]?.elements?.first?.string))
            case nil, "ByteLevel": break
            case let other?:
                throw unsupported("puts tokens around texts by '\(other.prefix(40))'")
            }
        }
        return (begin, end)
    }

    /// Reads vocabulary and added tokens. Ids are below 2²², far above any published vocabulary, so
    /// that one large id in a broken file does not allocate gigabytes.
    private init(folder: String, _ json: OrderedJSON) throws {
        self.folder = folder
        path = folder + "/tokenizer.json"
        self.json = json
        guard let model = json["model"], model.members != nil else {
            throw ModelError(.invalidFile, "\(path) is not a tokenizer. Fetch it again.")
        }
        self.model = model
        settings =
            FileManager.default.contents(atPath: folder + "/tokenizer_config.json").flatMap {
                try? Self.json($0)
            } ?? .null
        switch model["type"]?.string ?? "BPE" {
        case "BPE":
            guard let entries = model["vocab"]?.members else { throw fault("has no vocabulary") }
            vocabulary = try entries.map { entry in
                guard let id = entry.value.integer else { throw fault("has a token without an id") }
                return (entry.key, id, 0)
            }
        case "Unigram":
            guard let entries = model["vocab"]?.elements else { throw fault("has no vocabulary") }
            vocabulary = try entries.enumerated().map { i, entry in
                guard let pair = entry.elements, pair.count == 2, let token = pair[0].string,
                    let score = pair[1].double
                else {
                    throw fault("has a piece without a score")
                }
                return (token, i, Float(score))
            }
        case let other:
            throw ModelError(
                .unsupported,
                "\(path) is a '\(other.prefix(40))' tokenizer; BPE and Unigram are read.")
        }
        let added = json["added_tokens"]?.elements ?? []
        let highest = max(
            vocabulary.map(\.id).max() ?? -1, added.compactMap { $0["id"]?.integer }.max() ?? -1)
        guard highest >= 0, highest < 1 << 22, vocabulary.allSatisfy({ $0.id >= 0 }) else {
            throw fault("has ids out of range")
        }
        tokens = [String](repeating: "", count: highest + 1)
        for (token, id, _) in vocabulary { tokens[id] = token }
        for entry in added {
            guard let id = entry["id"]?.integer, let content = entry["content"]?.string,
                tokens.indices.contains(id)
            else { continue }
            tokens[id] = content
            special.append(Int32(id))
            if entry["special"]?.bool ?? false { hidden.insert(Int32(id)) }
            if entry["rstrip"]?.bool ?? false { stripping.insert(content) }
        }
    }

    /// Parses JSON, in order and by code units: dictionaries would take "é" and "e" with an accent
    /// for one token.
    private static func json(_ data: Data) throws(JSONError) -> OrderedJSON {
        try data.withUnsafeBytes { bytes in
            Result { () throws(JSONError) in try OrderedJSON(bytes: bytes) }
        }.get()
    }

    /// Error for a file that breaks its own format.
    private func fault(_ what: String) -> ModelError {
        ModelError(.invalidFile, "\(path) \(what). Fetch it again.")
    }
    /// Error for a sound file with a step that is not supported.
    private func unsupported(_ what: String) -> ModelError {
        ModelError(.unsupported, "\(path) \(what), which is not known.")
    }

    /// Id of an added token, compared by scalars; nil where there is none of that name.
    private func id(_ name: String?) -> Int32? {
        name.flatMap { name in
            special.first { tokens[Int($0)].unicodeScalars.elementsEqual(name.unicodeScalars) }
        }
    }
    /// Token's name in the settings: a string, or an object with `content`, as older files have it.
    private func setting(_ key: String) -> String? {
        settings[key]?.string ?? settings[key]?["content"]?.string
    }

    /// End token of the settings, and known ends of a turn among the added tokens.
    private var endTokens: Set<Int32> {
        var ends = Set([id(setting("eos_token"))].compactMap(\.self))
        for name in SpecialTokens.endNames {
            if let token = id(name) { ends.insert(token) }
        }
        return ends
    }

    /// Begin token: by `add_bos_token` of the settings, else the special token that the
    /// post-processor's template puts before a single text.
    private var beginToken: Int32? {
        if let adds = settings["add_bos_token"]?.bool {
            return adds ? id(setting("bos_token")) : nil
        }
        let parts =
            json["post_processor"].map { $0["processors"]?.elements ?? [$0] } ?? []
        let single =
            parts.first { $0["type"]?.string == "TemplateProcessing" }?["single"]?.elements
        return id(single?.first?["SpecialToken"]?["id"]?.string)
    }

    // MARK: Byte-level BPE

    /// Byte-level BPE tokenizer of the file.
    private func byteLevel() throws -> ByteLevelTokenizer {
        guard let preTokenizer = rules else {
            throw ModelError(
                .unsupported,
                "\(path) cuts text by rules that are not known; those of gpt-2, smollm, llama-3 and qwen2 are."
            )
        }
        // Qwen's files ask for NFC, which nearly all text is in already.
        let normalizer = json["normalizer"]?["type"]?.string
        guard normalizer == nil || normalizer == "NFC" else {
            throw unsupported("normalises text by '\(normalizer!.prefix(40))'")
        }
        return try ByteLevelTokenizer(
            tokens: tokens, merges: merges().map { "\($0) \($1)" },
            ignoresMerges: model["ignore_merges"]?.bool ?? false, preTokenizer: preTokenizer,
            composes: normalizer == "NFC", specialTokens: special, hidden: hidden,
            endTokens: endTokens,
            beginToken: beginToken, path: path)
    }

    /// Merge rules in order. Newer files have pairs, older ones a string with a space between both.
    private func merges() throws -> [(String, String)] {
        try (model["merges"]?.elements ?? []).map { merge in
            let pair =
                merge.elements?.compactMap(\.string)
                ?? merge.string?.split(separator: " ", omittingEmptySubsequences: false)
                .map(String.init) ?? []
            guard pair.count == 2 else { throw fault("has a merge of no pair") }
            return (pair[0], pair[1])
        }
    }

    /// Known rules that the `pre_tokenizer` stands for, recognized by parts of its pattern; nil
    /// where it is none of them. `add_prefix_space` is not supported.
    private var rules: PreTokenizer? {
        let parts = parts("pre_tokenizer", "pretokenizers")
        let byteLevel = parts.first { $0["type"]?.string == "ByteLevel" }
        guard let byteLevel, byteLevel["add_prefix_space"]?.bool != true else { return nil }
        if let split = parts.first(where: { $0["type"]?.string == "Split" }),
            let pattern = split["pattern"]?["Regex"]?.string
        {
            let modern = #"[^\r\n\p{L}\p{N}]?\p{L}+"#
            guard pattern.contains(modern) else { return nil }
            return pattern.contains(#"\p{N}{1,3}"#)
                ? .llama3 : pattern.contains(#"|\p{N}|"#) ? .qwen2 : nil
        }
        if let digits = parts.first(where: { $0["type"]?.string == "Digits" }) {
            return digits["individual_digits"]?.bool == true ? .smollm : nil
        }
        return byteLevel["use_regex"]?.bool != false ? .gpt2 : nil
    }

    /// Steps of a normalizer or pre-tokenizer: those of a sequence, or the one that it is.
    private func parts(_ key: String, _ list: String) -> [OrderedJSON] {
        guard let object = json[key], object.members != nil else { return [] }
        return object["type"]?.string == "Sequence" ? object[list]?.elements ?? [] : [object]
    }

    // MARK: SentencePiece

    /// SentencePiece tokenizer of the file. BPE has merges instead of scores there: a piece's score
    /// becomes the negated rank of the first merge that makes it, which joins in the same order.
    private func sentencePiece(_ kind: SentencePieceTokenizer.Model) throws
        -> SentencePieceTokenizer
    {
        var scores = [Float](repeating: 0, count: tokens.count)
        var kinds = [Int](repeating: 1, count: tokens.count)
        for (_, id, score) in vocabulary { scores[id] = score }
        if kind == .bpe {
            // The first merge that makes a piece says when it is made.
            var ranks: [[UInt8]: Int] = [:]
            for (rank, (left, right)) in try merges().enumerated() {
                let piece = Array((left + right).utf8)
                if ranks[piece] == nil { ranks[piece] = rank }
            }
            for (token, id, _) in vocabulary {
                scores[id] = -Float(ranks[Array(token.utf8)] ?? 1 << 22)
            }
        }
        for (i, token) in tokens.enumerated()
        where token.count == 6 && token.hasPrefix("<0x") && token.hasSuffix(">") {
            kinds[i] = 6
        }
        for id in special { kinds[Int(id)] = hidden.contains(id) ? 3 : 4 }
        var unknown = model["unk_id"]?.integer ?? 0
        if let name = model["unk_token"]?.string,
            let place = tokens.firstIndex(where: { $0 == name })
        {
            unknown = place
        }
        guard kinds.indices.contains(unknown) else {
            throw fault("has an unknown token \(unknown) that is not in its vocabulary")
        }
        kinds[unknown] = 2
        return try SentencePieceTokenizer(
            model: kind, tokens: tokens, scores: scores, kinds: kinds,
            normalizer: sentencePieceNormalizer(),
            endTokens: endTokens, beginToken: beginToken,
            unknown: Int32(unknown), stripping: stripping, path: path)
    }

    /// SentencePiece normalization that the file's normalizers and pre-tokenizers amount to.
    ///
    /// - Throws: ``ModelError`` for steps that are not known.
    private func sentencePieceNormalizer() throws -> SentencePieceNormalizer {
        var result = SentencePieceNormalizer(addsSpace: false)
        var strips = false
        for part in parts("normalizer", "normalizers") {
            let pattern = part["pattern"]
            switch part["type"]?.string {
            case "Prepend": result.addsSpace = true
            case "Replace" where pattern?["String"]?.string == " ": break
            case "Replace" where pattern?["Regex"]?.string == " {2,}": result.collapsesSpaces = true
            case "Strip": (result.collapsesSpaces, strips) = (true, true)
            case "Precompiled":
                guard
                    let bytes = part["precompiled_charsmap"]?.string.flatMap({
                        Data(base64Encoded: $0)
                    }),
                    let map = SentencePieceNormalizer.CharacterMap(Array(bytes))
                else { throw fault("has a character map that is not sound") }
                result.map = map
            case let other:
                throw unsupported("normalises text by '\((other ?? "nothing").prefix(40))'")
            }
        }
        for part in parts("pre_tokenizer", "pretokenizers") {
            switch part["type"]?.string {
            case "Metaspace":
                result.addsSpace =
                    part["prepend_scheme"]?.string
                    ?? ((part["add_prefix_space"]?.bool ?? true) ? "always" : "never") != "never"
            case "WhitespaceSplit": (result.collapsesSpaces, strips) = (true, true)
            // Gemma's: no space is left for it to find.
            case "Split" where part["pattern"]?["String"]?.string == " ": break
            case let other: throw unsupported("cuts text by '\((other ?? "nothing").prefix(40))'")
            }
        }
        result.keepsEndSpace = result.collapsesSpaces && !strips
        return result
    }
}
