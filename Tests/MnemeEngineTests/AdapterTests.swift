import Foundation
import MnemeBase
import MnemeModels
import Testing

/// Adapters: what is read, what is refused, and what a step computes with them. Golden values are
/// made by `scripts/make_golden_adapters.py`.
@Suite struct AdapterTests {
    struct GoldenAdapter: Decodable, CustomTestStringConvertible {
        var name: String
        /// The golden model that it is for.
        var model: String
        /// `adapter_config.json`, as PEFT wrote it.
        var config: String
        var shapes: [String: [Int]]
        /// PEFT's logits of the rows that the golden model has.
        var logits: String
        /// The same adapter as llama.cpp writes it.
        var gguf: String?
        var testDescription: String { name }

        var base: DecoderTests.Tiny {
            get throws { try #require(DecoderTests.models.first { $0.name == model }) }
        }

        /// The folder as PEFT has it.
        func folder(config: String? = nil, rename: (String) -> String = { $0 }) throws -> String {
            let folder = temporary("peft")
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true)
            try (config ?? self.config).write(
                toFile: folder + "/adapter_config.json", atomically: true, encoding: .utf8)
            try SafetensorsWriter.write(
                shapes.sorted { $0.key < $1.key }.map { name, shape in
                    let values = DecoderTests.values(name, count: shape.reduce(1, *), isGemma: true)
                    return SafetensorsWriter.Tensor(
                        rename(name), shape: shape,
                        values: name.contains("magnitude") ? values.map { $0 + 0.6 } : values)
                }, to: folder + "/adapter_model.safetensors")
            return folder
        }
    }

    static let adapters = (try? Golden.read([GoldenAdapter].self, "adapters")) ?? []

    static func temporary(_ name: String) -> String {
        FileManager.default.temporaryDirectory.appendingPathComponent(
            "mneme-\(name)-\(UUID().uuidString)"
        ).path
    }

    private static func decoder(_ model: DecoderTests.Tiny, gguf: Bool = false) throws
        -> TransformerDecoder
    {
        let path = gguf ? try DecoderTests.gguf(model) : try DecoderTests.folder(model)
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try TransformerDecoder(
            ModelSource(path: path, context: model.context), stepTokens: 128, stepLogits: 128)
    }

    /// The worst difference of an adapter's logits from PEFT's.
    private static func worst(
        _ decoder: TransformerDecoder, _ adapter: Adapter, _ golden: GoldenAdapter
    ) throws -> Float {
        let c = decoder.configuration
        let model = try golden.base
        let size = c.vocabularySize
        let all = decoder.logits(
            model.tokens, at: 0, in: Cache(c, positions: 80), rows: 80,
            adapter: try decoder.bind(adapter))
        let expected = Golden.floats(golden.logits)
        return model.rows.enumerated().flatMap { i, row in
            zip(all[row], expected[i * size..<(i + 1) * size]).map { abs($0 - $1) }
        }.max() ?? .infinity
    }

    @Test func `there are golden adapters`() {
        #expect(Self.adapters.count >= 5)
        #expect(Self.adapters.contains { $0.gguf != nil })
    }

    @Test(arguments: adapters)
    func `a folder as PEFT writes it gives PEFT's logits on both kinds of model files`(
        golden: GoldenAdapter
    ) throws {
        let path = try golden.folder()
        defer { try? FileManager.default.removeItem(atPath: path) }
        for isGGUF in [false, true] {
            let decoder = try Self.decoder(golden.base, gguf: isGGUF)
            let adapter = try AdapterStore.read(path, for: decoder.configuration)
            let worst = try Self.worst(decoder, adapter, golden)
            // Keys and values are halves, which costs some of the fourth digit.
            #expect(worst < 2e-3, "GGUF \(isGGUF): \(worst)")
        }
    }

    @Test(arguments: adapters.filter { $0.gguf != nil })
    func `a GGUF adapter gives PEFT's logits on both kinds of model files`(golden: GoldenAdapter)
        throws
    {
        let path = Self.temporary("lora") + ".gguf"
        try Data(Golden.bytes(golden.gguf ?? "")).write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        for isGGUF in [false, true] {
            let decoder = try Self.decoder(golden.base, gguf: isGGUF)
            let adapter = try AdapterStore.read(path, for: decoder.configuration)
            let worst = try Self.worst(decoder, adapter, golden)
            #expect(worst < 2e-3, "GGUF \(isGGUF): \(worst)")
            // The same values as in PEFT's folder, to the bit.
            let folder = try golden.folder()
            defer { try? FileManager.default.removeItem(atPath: folder) }
            #expect(try AdapterStore.read(folder, for: decoder.configuration).hash == adapter.hash)
        }
    }

    @Test func `a model that was fetched is no adapter, though it has a record, too`() throws {
        let home = Self.temporary("models")
        defer { try? FileManager.default.removeItem(atPath: home) }
        try FileManager.default.createDirectory(atPath: home + "/minilm", withIntermediateDirectories: true)
        try Data(#"{"files": {"config.json": {"bytes": 1}}}"#.utf8).write(
            to: URL(fileURLWithPath: home + "/minilm/mneme.json"))
        #expect(AdapterStore(path: home).names() == [])
    }

    @Test(arguments: adapters)
    func `an adapter that is kept is the same after it was read again`(golden: GoldenAdapter) throws {
        let path = try golden.folder()
        let home = Self.temporary("adapters")
        defer { for file in [path, home] { try? FileManager.default.removeItem(atPath: file) } }
        let c = try Self.decoder(golden.base).configuration
        let adapter = try AdapterStore.read(path, for: c)
        let store = AdapterStore(path: home)
        #expect(store.names() == [])
        var record = AdapterRecord(name: "work-notes", base: "tiny")
        (record.memories, record.training) = (["a", "b"], ["loss": 1.5])
        try store.add(adapter, record)
        #expect(try store.folder("work-notes").record() == record)
        #expect(try store.folder("work-notes").read(for: c).hash == adapter.hash)
        record.name = "imported"
        try store.add(importing: path, record, for: c)
        #expect(try store.folder("imported").read(for: c) == adapter)
        #expect(store.names() == ["imported", "work-notes"])

        let taken = #expect(throws: AdapterError.self) { try store.add(adapter, record) }
        #expect(taken?.code == .exists)
        try store.add(adapter, record, replacing: true)
        try store.erase("imported")
        let absent = #expect(throws: AdapterError.self) { try store.folder("imported") }
        #expect(absent?.code == .notFound)
        #expect(absent?.message.contains("work-notes") == true)
        for name in ["", "../a", ".a", "a/b", "a:b", "a b", String(repeating: "a", count: 65), "é"] {
            record.name = name
            let error = #expect(throws: AdapterError.self) { try store.add(adapter, record) }
            #expect(error?.code == .invalidName, "\(name)")
        }
        // Nothing is left of what failed or was replaced.
        #expect(try FileManager.default.contentsOfDirectory(atPath: home) == ["work-notes"])
    }

    @Test(arguments: adapters.filter { $0.model != "gemma3" })
    func `a merged file gives the adapter's logits without it`(golden: GoldenAdapter) throws {
        let path = try golden.folder()
        let base = try DecoderTests.gguf(golden.base)
        let merged = Self.temporary("merged") + ".gguf"
        defer {
            for file in [path, base, merged] { try? FileManager.default.removeItem(atPath: file) }
        }
        let file = try GGUFFile(path: base)
        let c = try file.decoderConfiguration()
        let adapter = try AdapterStore.read(path, for: c)
        try adapter.merge(into: file, as: .f32, path: merged)
        let model = try golden.base
        let size = c.vocabularySize
        let expected = Golden.floats(golden.logits)
        let all = try TransformerDecoder(
            GGUFFile(path: merged), stepTokens: 128, stepLogits: 128
        ).logits(model.tokens, at: 0, in: Cache(c, positions: 80), rows: 80)
        for (i, row) in model.rows.enumerated() {
            let worst = zip(all[row], expected[i * size..<(i + 1) * size]).map { abs($0 - $1) }.max()
            #expect((worst ?? 1) < 2e-3, "row \(row) differs by \(worst ?? 1)")
        }
        // A file that is there stays.
        #expect(throws: ModelError.self) {
            try adapter.merge(into: file, as: .f32, path: merged)
        }
    }

    // MARK: What is refused

    @Test func `settings that are more than low-rank terms are refused by name`() throws {
        let golden = try #require(Self.adapters.first { $0.name == "all" })
        let c = try Self.decoder(golden.base).configuration
        let settings = try #require(
            try JSONSerialization.jsonObject(with: Data(golden.config.utf8)) as? [String: Any])
        let changes: [(key: String, value: Any, code: AdapterError.Code)] = [
            ("use_dora", true, .invalidFile), ("bias", "all", .unsupported),
            ("modules_to_save", ["lm_head"], .unsupported), ("peft_type", "LOHA", .unsupported),
            ("fan_in_fan_out", true, .unsupported), ("init_lora_weights", "pissa", .unsupported),
            ("task_type", "SEQ_CLS", .unsupported), ("lora_bias", true, .unsupported),
            ("layer_replication", [[0, 1]], .unsupported), ("something_new", 3, .unsupported),
            ("rank_pattern", ["(a+)+": 2], .unsupported), ("rank_pattern", ["q_proj": 0], .invalidFile),
            ("r", 0, .invalidFile), ("r", 100_000, .invalidFile), ("r", 1.5, .invalidFile),
            ("lora_alpha", "much", .invalidFile), ("r", 5, .wrongBase),
            ("alpha_pattern", [1], .invalidFile),
        ]
        for change in changes {
            var changed = settings
            changed[change.key] = change.value
            let text = String(
                decoding: try JSONSerialization.data(withJSONObject: changed), as: UTF8.self)
            let path = try golden.folder(config: text)
            defer { try? FileManager.default.removeItem(atPath: path) }
            let error = #expect(throws: AdapterError.self, "\(change)") {
                _ = try AdapterStore.read(path, for: c)
            }
            #expect(error?.code == change.code, "\(change): \(error?.message ?? "")")
            if change.code == .unsupported, change.key != "peft_type" {
                #expect(error?.message.contains(change.key) == true, "\(error?.message ?? "")")
            }
        }
        // Off is as good as not there.
        var off = settings
        (off["lora_bias"], off["something_new"]) = (false, NSNull())
        let path = try golden.folder(
            config: String(decoding: try JSONSerialization.data(withJSONObject: off), as: UTF8.self))
        defer { try? FileManager.default.removeItem(atPath: path) }
        _ = try AdapterStore.read(path, for: c)
    }

    @Test func `tensors that no linear map of a layer has are refused by name`() throws {
        let golden = try #require(Self.adapters.first { $0.name == "all" })
        let c = try Self.decoder(golden.base).configuration
        for (from, to) in [
            ("layers.1.mlp.down_proj", "lm_head"), ("layers.1.mlp.down_proj", "layers.1.mlp.experts"),
            ("layers.1.mlp.down_proj", "layers.-1.mlp.down_proj"), ("lora_A", "lora_C"),
            ("base_model.model.", ""),
        ] {
            let path = try golden.folder { $0.replacing(from, with: to) }
            defer { try? FileManager.default.removeItem(atPath: path) }
            let error = #expect(throws: AdapterError.self, "\(to)") {
                _ = try AdapterStore.read(path, for: c)
            }
            #expect(error?.code == .unsupported, "\(error?.message ?? "")")
        }
        let far = try golden.folder { $0.replacing("layers.1.", with: "layers.7.") }
        defer { try? FileManager.default.removeItem(atPath: far) }
        let error = #expect(throws: AdapterError.self) { _ = try AdapterStore.read(far, for: c) }
        #expect(error?.code == .wrongBase)
        #expect(error?.message.contains("layer 7") == true)
    }

    @Test func `an adapter of another model is refused with both shapes`() throws {
        let golden = try #require(Self.adapters.first { $0.name == "all" })
        let path = try golden.folder()
        let gguf = Self.temporary("lora") + ".gguf"
        try Data(Golden.bytes(golden.gguf ?? "")).write(to: URL(fileURLWithPath: gguf))
        defer { for file in [path, gguf] { try? FileManager.default.removeItem(atPath: file) } }
        for name in ["llama-tied", "gemma3", "qwen3"] {
            let model = try #require(DecoderTests.models.first { $0.name == name })
            let c = try Self.decoder(model).configuration
            for file in [path, gguf] {
                let error = #expect(throws: AdapterError.self) {
                    _ = try AdapterStore.read(file, for: c)
                }
                #expect(error?.code == .wrongBase, "\(name): \(error?.message ?? "")")
            }
        }
    }

    @Test func `files that are cut off or changed give typed errors`() throws {
        let golden = try #require(Self.adapters.first { $0.name == "all" })
        let path = try golden.folder()
        let c = try Self.decoder(golden.base).configuration
        let gguf = Data(Golden.bytes(golden.gguf ?? ""))
        let lora = Self.temporary("lora") + ".gguf"
        defer { for file in [path, lora] { try? FileManager.default.removeItem(atPath: file) } }
        var random = SplitMix64(seed: 27)
        for name in ["adapter_config.json", "adapter_model.safetensors", lora] {
            let file = name == lora ? lora : path + "/" + name
            let whole =
                name == lora ? gguf : try Data(contentsOf: URL(fileURLWithPath: file))
            var damaged = (0..<40).map { whole.prefix(whole.count * $0 / 40) }
            for _ in 0..<80 {
                var changed = whole
                for _ in 0..<3 {
                    // Names and lengths stand at the beginning.
                    let place = Int(random.next() % UInt64(min(whole.count, 2000)))
                    changed[place] = UInt8(truncatingIfNeeded: random.next())
                }
                damaged.append(changed)
            }
            for data in damaged {
                try data.write(to: URL(fileURLWithPath: file))
                do { _ = try AdapterStore.read(name == lora ? lora : path, for: c) } catch {
                    #expect(error is AdapterError, "\(name): \(error)")
                }
            }
            try whole.write(to: URL(fileURLWithPath: file))
        }
        try FileManager.default.removeItem(atPath: path + "/adapter_model.safetensors")
        try Data().write(to: URL(fileURLWithPath: path + "/adapter_model.bin"))
        let error = #expect(throws: AdapterError.self) { _ = try AdapterStore.read(path, for: c) }
        #expect(error?.message.contains("adapter_model.bin") == true)
    }

    @Test func `values that are not finite are refused`() throws {
        let golden = try #require(Self.adapters.first { $0.name == "few" })
        let path = try golden.folder()
        defer { try? FileManager.default.removeItem(atPath: path) }
        let decoder = try Self.decoder(golden.base)
        var adapter = try AdapterStore.read(path, for: decoder.configuration)
        let place = try #require(adapter.terms.keys.min())
        adapter.terms[place]?.b[3] = .nan
        let error = #expect(throws: AdapterError.self) { _ = try decoder.bind(adapter) }
        #expect(error?.code == .invalidFile)
        #expect(throws: AdapterError.self) { _ = try decoder.bind(Adapter([:])) }
    }

    @Test func `rows' lengths that are not finite, too few, or of some terms alone are refused`() throws {
        let golden = try #require(Self.adapters.first { $0.name == "lengths" })
        let path = try golden.folder()
        defer { try? FileManager.default.removeItem(atPath: path) }
        let decoder = try Self.decoder(golden.base)
        let adapter = try AdapterStore.read(path, for: decoder.configuration)
        let place = try #require(adapter.terms.keys.min())
        #expect(adapter.hasMagnitudes)
        for change: (inout Adapter.Term) -> Void in [
            { $0.magnitudes?[3] = .infinity }, { $0.magnitudes?.removeLast() }, { $0.magnitudes = nil },
        ] {
            var changed = adapter
            if var term = changed.terms[place] {
                change(&term)
                changed.terms[place] = term
            }
            let error = #expect(throws: AdapterError.self) { _ = try decoder.bind(changed) }
            #expect(error?.code == .invalidFile)
        }
        // Tensors and settings must be of one kind.
        let settings = golden.config.replacing("\"use_dora\": true", with: "\"use_dora\": false")
        #expect(settings != golden.config)
        let plain = try golden.folder(config: settings)
        defer { try? FileManager.default.removeItem(atPath: plain) }
        #expect(throws: AdapterError.self) { _ = try AdapterStore.read(plain, for: decoder.configuration) }
        #expect(throws: AdapterError.self) { _ = try Adapter.mean(of: [(adapter, 1), (adapter, 1)]) }
    }

    @Test(arguments: [false, true])
    func `a step of adapters with rows' lengths, without, and none gives each the bits that it gets alone`(
        isGGUF: Bool
    ) throws {
        let some = try #require(Self.adapters.first { $0.name == "lengths" })
        let other = try #require(Self.adapters.first { $0.name == "all" })
        let (path, plain) = (try some.folder(), try other.folder())
        defer { for file in [path, plain] { try? FileManager.default.removeItem(atPath: file) } }
        let model = try some.base
        let decoder = try Self.decoder(model, gguf: isGGUF)
        let c = decoder.configuration
        // Alone before any adapter has scaled rows: their maps add to the stream by themselves.
        let adapters = [
            nil, try decoder.bind(AdapterStore.read(plain, for: c)),
            try decoder.bind(AdapterStore.read(path, for: c)),
        ]
        let lengths = [9, 17, 5]
        let alone = zip(adapters, lengths).flatMap { adapter, length in
            decoder.logits(
                Array(model.tokens.prefix(length)), at: 0, in: Cache(c, positions: 80), rows: 2, adapter: adapter)
        }
        let caches = lengths.map { _ in Cache(c, positions: 80) }
        let mixed = DecoderTests.step(
            decoder, caches.indices.map { (model.tokens[0..<lengths[$0]], caches[$0], 2) }, adapters: adapters)
        #expect(mixed == alone)
        #expect(Set([alone[1], alone[3], alone[5]].map(\.description)).count == 3)
    }

    /// An optional segment, made where the optimizer does not see what it is.
    @inline(never)
    private func segment(_ view: KVView?) -> DecoderSegment? {
        view.map { DecoderSegment(tokens: 0..<1, position: 0, view: $0, logits: 1) }
    }

    @Test func `a segment without an adapter is a segment`() throws {
        let model = try #require(DecoderTests.models.first)
        let cache = try Cache(Self.decoder(model).configuration, positions: 32)
        #expect(segment(cache.view) != nil)
        #expect(segment(cache.view)?.adapter == nil)
        #expect(segment(nil) == nil)
    }

    // MARK: Steps

    @Test(arguments: adapters)
    func `one step of several adapters and none gives each the bits that it gets alone`(
        golden: GoldenAdapter
    ) throws {
        let path = try golden.folder()
        let model = try golden.base
        defer { try? FileManager.default.removeItem(atPath: path) }
        let decoder = try Self.decoder(model)
        let c = decoder.configuration
        let adapter = try AdapterStore.read(path, for: c)
        var weaker = adapter
        for place in adapter.terms.keys where place.layer == 1 { weaker.terms[place]?.scale *= 0.5 }
        let first = try decoder.bind(adapter)
        let second = try decoder.bind(weaker)
        let adapters = [first, nil, second, first, nil, second]
        let lengths = [17, 9, 1, 30, 12, 5]
        let logits = [1, 3, 1, 0, 12, 2]
        let alone = zip(zip(adapters, lengths), logits).flatMap { pair, rows in
            decoder.logits(
                Array(model.tokens.prefix(pair.1)), at: 0, in: Cache(c, positions: 80), rows: rows,
                adapter: pair.0)
        }
        let caches = lengths.map { _ in Cache(c, positions: 80) }
        let mixed = DecoderTests.step(
            decoder,
            caches.indices.map { (model.tokens[0..<lengths[$0]], caches[$0], logits[$0]) },
            adapters: adapters)
        #expect(mixed == alone)
        // What follows reads what each adapter computed.
        let next = DecoderTests.step(
            decoder,
            caches.indices.map { (model.tokens[lengths[$0]..<lengths[$0] + 1], caches[$0], 1) },
            adapters: adapters)
        for (i, length) in lengths.enumerated() {
            let whole = decoder.logits(
                Array(model.tokens[...length]), at: 0, in: Cache(c, positions: 80), rows: 1,
                adapter: adapters[i])
            #expect(next[i] == whole[0], "sequence \(i)")
        }
        // Three different adapters give three different answers.
        #expect(Set([next[0], next[1], next[2]].map(\.description)).count == 3)
    }
}
