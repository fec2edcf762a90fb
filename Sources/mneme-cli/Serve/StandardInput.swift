import Foundation

/// Lines of standard input, read on a thread of their own; longer ones are cut, and so refused as
/// not JSON.
enum StandardInput {
    /// Lines as they come, without those that are blank; ends with the input.
    ///
    /// - Parameter maximum: bytes of a line that are kept.
    ///
    /// - Returns: bytes without the line break. What is longer than `maximum` is cut there: memory
    ///   stays bounded whatever is sent.
    static func lines(maximum: Int) -> AsyncStream<[UInt8]> {
        AsyncStream { continuation in
            Thread.detachNewThread {
                // Reading blocks, so it has a thread of its own; end of input ends the stream.
                var line: [UInt8] = []
                var chunk = [UInt8](repeating: 0, count: 65536)
                while true {
                    let count = read(STDIN_FILENO, &chunk, chunk.count)
                    if count < 0 && errno == EINTR { continue }
                    guard count > 0 else { break }
                    for byte in chunk[..<count] {
                        if byte == 10 {
                            if line.contains(where: { $0 > 32 }) { continuation.yield(line) }
                            line.removeAll(keepingCapacity: true)
                        } else if line.count < maximum {
                            line.append(byte)
                        }
                    }
                }
                if line.contains(where: { $0 > 32 }) { continuation.yield(line) }
                continuation.finish()
            }
        }
    }
}
