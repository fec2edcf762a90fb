import Foundation
import MnemeKV
import Testing

/// A Redis server of a test's own, on loopback; it ends with the test.
final class RedisServer {
    let port: Int
    private var process: pid_t = 0
    static let path = [
        "/usr/bin/redis-server", "/usr/bin/valkey-server", "/usr/local/bin/redis-server",
        "/opt/homebrew/bin/redis-server",
    ].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    init(_ options: [String] = [], port: Int? = nil) throws {
        self.port = port ?? Int.random(in: 20000..<32000)
        let path = try #require(Self.path)
        let words =
            [
                path, "--port", "\(self.port)", "--bind", "127.0.0.1", "--save", "", "--logfile",
                "/dev/null", "--dir",
                NSTemporaryDirectory(),
            ] + options
        var arguments = words.map { strdup($0) } + [nil]
        defer { for word in arguments { free(word) } }
        // Not Foundation's Process, which loses the ends of children of short life.
        guard posix_spawn(&process, path, nil, nil, &arguments, environ) == 0 else {
            throw KVError.absent(path)
        }
        for _ in 0..<200 where !isListening { usleep(20_000) }
    }

    private var isListening: Bool {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    var url: String { "redis://127.0.0.1:\(port)" }

    /// It answers nobody until it is woken.
    func sleep() { kill(process, SIGSTOP) }
    func wake() { kill(process, SIGCONT) }

    func stop() {
        guard process != 0 else { return }
        // Workers of Dispatch block other signals, and children inherit that.
        kill(process, SIGKILL)
        waitpid(process, nil, 0)
        process = 0
    }

    /// The output of `redis-cli`.
    @discardableResult
    func command(_ words: [String]) throws -> String {
        let program = try #require(Self.path).replacingOccurrences(of: "-server", with: "-cli")
        guard
            let output = popen(
                "\(program) -p \(port) " + words.map { "'\($0)'" }.joined(separator: " "), "r")
        else {
            throw KVError.absent(program)
        }
        defer { pclose(output) }
        var text = ""
        var line = [CChar](repeating: 0, count: 4096)
        while fgets(&line, Int32(line.count), output) != nil {
            text += String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        }
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
