import Foundation
import MnemeKV
import MnemeSeal
import NIOConcurrencyHelpers
import Testing

/// Blocks on a server that is reached over TLS, with an authority of the tests' own.
@Suite(
    .enabled(
        if: RedisServer.path != nil && FileManager.default.isExecutableFile(atPath: "/usr/bin/openssl"),
        "needs redis-server and openssl"), .serialized)
struct RedisTLSTests {
    private static let shape = KVShape(layers: 8, heads: 8, dimension: 128)
    private static let root = hash("tls")

    /// An authority, and certificates that it signed.
    private final class Authority {
        let folder = temporaryFolder()

        init() throws {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try run(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=authority "
                    + "-keyout ca.key -out ca.pem")
            try sign("server", "DNS:localhost,IP:127.0.0.1")
            try sign("other", "DNS:elsewhere.test")
            try sign("client", "DNS:client.test")
        }
        deinit { try? FileManager.default.removeItem(atPath: folder) }

        private func run(_ words: String) throws {
            try #require(system("cd '\(folder)' && /usr/bin/openssl \(words) 2>/dev/null") == 0, "\(words)")
        }

        private func sign(_ name: String, _ names: String) throws {
            try run(
                "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=\(name) -keyout \(name).key -out \(name).csr"
            )
            try Data("subjectAltName=\(names)\n".utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name).ext"))
            try run(
                "x509 -req -in \(name).csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile \(name).ext -out \(name).pem"
            )
        }

        /// A server that speaks TLS alone.
        func server(_ certificate: String = "server", _ options: [String] = []) throws -> RedisServer {
            let port = Int.random(in: 20000..<32000)
            return try RedisServer(
                [
                    "--port", "0", "--tls-port", "\(port)", "--tls-cert-file", "\(folder)/\(certificate).pem",
                    "--tls-key-file", "\(folder)/\(certificate).key", "--tls-ca-cert-file", "\(folder)/ca.pem",
                    "--tls-auth-clients", "no",
                ] + options, port: port)
        }

        /// The URL of a server, with the authority and `more`.
        func url(_ server: RedisServer, host: String = "localhost", _ more: String = "") -> String {
            "rediss://\(host):\(server.port)/1?ca=\(folder)/ca.pem\(more)"
        }
        /// Parameters for this client's certificate.
        var client: String { "&cert=\(folder)/client.pem&key=\(folder)/client.key" }
    }

    /// A block of a mebibyte, of two bytes that take turns.
    private func write(
        _ token: Int32, behind parent: KVHash = root, sources: [String] = [], to tier: RedisTier
    ) throws -> KVBlockRequest {
        let tokens = [Int32](repeating: token, count: 32)
        let memory = UnsafeMutableRawPointer.allocate(byteCount: Self.shape.blockBytes, alignment: 64)
        defer { memory.deallocate() }
        for i in 0..<Self.shape.blockBytes {
            memory.storeBytes(of: UInt8(truncatingIfNeeded: i / 251 + i), toByteOffset: i, as: UInt8.self)
        }
        let block = KVBlockFile(
            model: Self.root, parent: parent, position: 0, shape: Self.shape, tokens: tokens, modelName: "m",
            sources: sources)
        try tier.write(block, from: memory, shape: Self.shape)
        return KVBlockRequest(model: Self.root, parent: parent, codec: .f16, tokens: tokens, shape: Self.shape)
    }

    /// True if the block comes back as it was.
    private func reads(_ request: KVBlockRequest, from tier: RedisTier) throws -> Bool {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: Self.shape.blockBytes, alignment: 64)
        defer { memory.deallocate() }
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: Self.shape.blockBytes)
        try tier.read(request, into: memory)
        return (0..<Self.shape.blockBytes).allSatisfy {
            memory.load(fromByteOffset: $0, as: UInt8.self) == UInt8(truncatingIfNeeded: $0 / 251 + $0)
        }
    }

    @Test func `blocks go and come over TLS, by name and by address, with and without a key`() throws {
        let authority = try Authority()
        let server = try authority.server()
        defer { server.stop() }
        let requests = try (0..<12).map { try write($0, to: RedisTier(url: authority.url(server))) }
        for host in ["localhost", "127.0.0.1"] {
            let tier = try RedisTier(url: authority.url(server, host: host))
            #expect(try tier.blocks() == 12)
            #expect(tier.count(of: requests.map(\.hash)) == 12)
            for request in requests { #expect(try reads(request, from: tier)) }
        }
        let sealed = try RedisTier(url: authority.url(server), key: EncryptionKey())
        let request = try write(5, to: sealed)
        #expect(try reads(request, from: sealed))
        // Several threads at once, each with a connection of its own.
        let shared = try RedisTier(url: authority.url(server))
        let count = NIOLockedValueBox(0)
        DispatchQueue.concurrentPerform(iterations: requests.count) { i in
            if (try? reads(requests[i], from: shared)) == true { count.withLockedValue { $0 += 1 } }
        }
        #expect(count.withLockedValue { $0 } == requests.count)
    }

    @Test func `connections that the server ends are made anew`() throws {
        let authority = try Authority()
        // It ends connections that rest for a second.
        let server = try authority.server("server", ["--timeout", "1"])
        defer { server.stop() }
        let tier = try RedisTier(url: authority.url(server))
        let request = try write(1, to: tier)
        usleep(3_500_000)
        #expect(try reads(request, from: tier))
    }

    /// The message with which a tier is refused.
    private func message(_ url: String) -> String {
        do {
            _ = try RedisTier(url: url)
            return ""
        } catch { return (error as? KVError)?.message ?? "\(error)" }
    }

    @Test func `what is wrong is named`() throws {
        let authority = try Authority()
        let server = try authority.server()
        let other = try authority.server("other")
        let strict = try authority.server("server", ["--tls-auth-clients", "yes"])
        let plain = try RedisServer()
        let locked = try RedisServer(["--requirepass", "word"])
        defer { for each in [server, other, strict, plain, locked] { each.stop() } }
        // The system's authorities know nothing of the tests' own.
        #expect(message("rediss://localhost:\(server.port)").contains("?ca=FILE"))
        #expect(message(authority.url(other)).contains("other names than localhost"))
        #expect(message(authority.url(other, host: "127.0.0.1")).contains("other names than 127.0.0.1"))
        // Redis without TLS waits for the rest of what it takes for a command, with a password or not.
        #expect(message(authority.url(plain)).contains("speaks no TLS at this port; redis:// is without TLS"))
        #expect(message(authority.url(locked)).contains("speaks no TLS at this port"))
        // One that hangs is told apart: nobody knows what it speaks.
        other.sleep()
        let silent = message(authority.url(other))
        #expect(silent.contains("does not answer") && !silent.contains("speaks no TLS"))
        other.wake()
        #expect(message(authority.url(strict)).contains("&key=FILE"))
        #expect(message(authority.url(strict, authority.client)) == "")
        // Files that are not there, or hold something else.
        let missing = authority.folder + "/none.pem"
        #expect(message("rediss://localhost:\(server.port)?ca=\(missing)").contains(missing))
        let wrong = "&cert=\(authority.folder)/client.pem&key=\(authority.folder)/client.csr"
        #expect(message(authority.url(server, wrong)).contains("client.csr"))
        // Half of a pair, parameters that there are not, and files without TLS.
        for text in ["rediss://h?cert=a", "rediss://h?colour=red", "redis://h?ca=a", "rediss://h?ca="] {
            #expect(throws: KVError.self, "\(text)") { try RedisTier(url: text) }
        }
        // No message has a password.
        for text in ["rediss://u:secret@localhost:\(server.port)", "rediss://u:secret@[::1/x", "http://u:secret@h"] {
            #expect(!message(text).contains("secret") && message(text) != "", "\(text)")
        }
    }

    /// How many blocks were made of memories, and how many were looked at.
    private func counts(_ sources: Set<String>, _ tier: RedisTier) throws -> [Int] {
        let (found, searched) = try tier.search(madeOf: sources)
        return [found, searched]
    }

    @Test func `a search finds what was made of a memory, and erasing leaves none`() throws {
        let server = try RedisServer()
        defer { server.stop() }
        for key in [nil, EncryptionKey()] {
            let tier = try RedisTier(url: server.url, key: key)
            let first = try write(1, sources: ["a"], to: tier)
            let second = try write(2, behind: first.hash, sources: ["a", "b"], to: tier)
            let third = try write(3, sources: ["c"], to: tier)
            #expect(try counts(["a"], tier) == [2, 3])
            #expect(try counts(["b", "nobody"], tier) == [1, 3])
            try tier.erase(sources: ["b"])
            #expect(try counts(["a", "b"], tier) == [1, 2])
            #expect(tier.count(of: [second.hash]) == 0)
            // A text by its last block: all before it goes with it.
            let fourth = try write(4, behind: third.hash, to: tier)
            try tier.erase(text: fourth.hash)
            #expect(try tier.blocks() == 1 && reads(first, from: tier))
            try tier.erase(text: first.hash)
            #expect(try tier.blocks() == 0)
        }
    }
}
