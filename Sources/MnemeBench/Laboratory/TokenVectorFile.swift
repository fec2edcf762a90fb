import CMnemeKernels
import Dispatch
import MnemeBase
public import MnemeIndex
import MnemeNumerics
import NIOConcurrencyHelpers

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Puts candidates of a search into a better order.
public protocol Reranker: Sendable {
    /// Says what may have to be reranked, so that what is needed of it can be read meanwhile.
    func prefetch(_ keys: [Int])

    /// The candidates, the best first, with new scores.
    ///
    /// - Parameter query: the query's token vectors, of length 1.
    /// - Throws: ``IndexError``.
    func rerank(_ candidates: [Int], for query: [[Float]]) throws -> [VectorMatch]
}

/// Token vectors of texts on disk, and candidates ranked by them: the sum over the query's tokens
/// of the best match among the text's (MaxSim, ColBERT, Khattab and Zaharia 2020). They take a
/// hundred times the room of one vector a text, so only their places are in memory; what a first,
/// quick search suggests is read while the thorough one runs (ESPN, Shrestha et al. 2024).
///
/// A file is made anew, appended to and read; it is derived and has no life of its own beyond its
/// process.
public final class TokenVectorFile: Reranker, @unchecked Sendable {
    // Sendable: `state` is behind its lock; the file is appended to behind `writer`.
    /// Elements of a token's vector.
    public let dimension: Int
    /// Bytes of a token's record: its 8-bit codes, scale and sum.
    private let stride: Int, descriptor: Int32, path: String
    private struct State {
        /// By key: where its tokens' records begin, and how many there are.
        var places: [Int: (offset: Int, tokens: Int)] = [:]
        /// Bytes written; the next text goes here.
        var end = 0
        /// Records that were read ahead, and keys that are being read.
        var ready: [Int: [UInt8]] = [:]
        var reading: Set<Int> = []
        /// Texts whose vectors had been read when they were asked for, and the others.
        var hits = 0, misses = 0
    }
    private let state = NIOLockedValueBox(State())
    private let writer = NIOLock()
    private let reader = DispatchQueue(label: "mneme.token-vectors", attributes: .concurrent)
    /// Texts kept that were read ahead and not asked for yet.
    private static let readyLimit = 4096

    /// A new file at `path`.
    ///
    /// - Throws: ``IndexError``.
    public init(path: String, dimension: Int) throws {
        try Vector.check(dimension: dimension)
        self.dimension = dimension
        self.path = path
        stride = mnk_code_bytes(dimension) + 16
        descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw IndexError(FileError(path))
        }
    }

    deinit { close(descriptor) }

    /// Bytes on disk.
    public var byteCount: Int { state.withLockedValue { $0.end } }
    /// Texts reranked whose vectors had been read ahead, and those that were waited for.
    public var reads: (ahead: Int, waited: Int) { state.withLockedValue { ($0.hits, $0.misses) } }

    /// Adds the token vectors of a text; those of the same key before are no longer used.
    ///
    /// - Throws: ``IndexError``; nothing is added then.
    public func append(_ tokens: [[Float]], for key: Int) throws {
        var bytes = [UInt8](repeating: 0, count: tokens.count * stride)
        for (i, token) in tokens.enumerated() {
            let vector = try Vector.normalized(
                token, dimension: dimension, what: "A token's vector of key \(key)")
            bytes.withUnsafeMutableBufferPointer {
                mnk_encode_record(vector, dimension, $0.baseAddress! + i * stride, nil)
            }
        }
        try writer.withLock {
            let offset = state.withLockedValue { $0.end }
            var done = 0
            while done < bytes.count {
                let n = bytes.withUnsafeBytes {
                    pwrite(
                        descriptor, $0.baseAddress! + done, bytes.count - done, off_t(offset + done)
                    )
                }
                if n < 0, errno == EINTR { continue }
                guard n > 0 else {
                    throw IndexError(FileError(path))
                }
                done += n
            }
            state.withLockedValue { state in
                state.places[key] = (offset, tokens.count)
                state.ready[key] = nil
                state.end = offset + bytes.count
            }
        }
    }

    /// The records of a text; nil if the file is cut off there.
    private func read(_ place: (offset: Int, tokens: Int)) -> [UInt8]? {
        let bytes = place.tokens * stride
        var done = 0
        let buffer = [UInt8](unsafeUninitializedCapacity: bytes) { buffer, count in
            while done < bytes {
                let n = pread(
                    descriptor, buffer.baseAddress! + done, bytes - done, off_t(place.offset + done)
                )
                if n < 0, errno == EINTR { continue }
                guard n > 0 else { break }
                done += n
            }
            count = done
        }
        return done == bytes ? buffer : nil
    }

    /// As ``Reranker`` has it: reads each text's records on a thread of its own; what is not asked
    /// for is dropped when much has gathered.
    public func prefetch(_ keys: [Int]) {
        let wanted = state.withLockedValue { state in
            if state.ready.count > Self.readyLimit { state.ready = [:] }
            let wanted = keys.compactMap { key in
                state.ready[key] == nil && !state.reading.contains(key)
                    ? state.places[key].map { (key: key, place: $0) } : nil
            }
            state.reading.formUnion(wanted.map(\.key))
            return wanted
        }
        for (key, place) in wanted {
            reader.async { [self] in
                let bytes = read(place)
                state.withLockedValue { state in
                    state.reading.remove(key)
                    // What was replaced meanwhile is not what was read.
                    if state.places[key]?.offset == place.offset { state.ready[key] = bytes }
                }
            }
        }
    }

    /// As ``Reranker`` has it, by MaxSim over 8-bit codes. Candidates without token vectors are
    /// left out.
    public func rerank(_ candidates: [Int], for query: [[Float]]) throws -> [VectorMatch] {
        let codes = mnk_code_bytes(dimension)
        var queries = [Int8](repeating: 0, count: query.count * codes)
        var scales: [Float] = []
        for (i, token) in query.enumerated() {
            let vector = try Vector.normalized(
                token, dimension: dimension, what: "A token's vector of the query")
            scales.append(
                queries.withUnsafeMutableBufferPointer {
                    mnk_encode_query(vector, dimension, $0.baseAddress! + i * codes)
                })
        }
        var result: [VectorMatch] = []
        for key in candidates {
            let (place, ready) = state.withLockedValue { state in
                let ready = state.ready.removeValue(forKey: key)
                if state.places[key] != nil {
                    if ready != nil { state.hits += 1 } else { state.misses += 1 }
                }
                return (state.places[key], ready)
            }
            guard let place else { continue }
            guard let bytes = ready ?? read(place) else {
                throw IndexError(.unavailable, "\(path) cannot be read. Make it again.")
            }
            let ids = (0..<UInt32(place.tokens)).map { $0 }
            var scores = [Float](repeating: 0, count: place.tokens)
            var total: Float = 0
            for i in query.indices where place.tokens > 0 {
                queries.withUnsafeBufferPointer {
                    mnk_graph_scores(
                        ProcessorFeatures.current.rawValue, bytes, stride, dimension,
                        $0.baseAddress! + i * codes,
                        scales[i], ids, place.tokens, &scores)
                }
                total += scores.max() ?? 0
            }
            result.append(VectorMatch(key: key, score: total))
        }
        return result.sorted(by: VectorMatch.isBefore)
    }
}
