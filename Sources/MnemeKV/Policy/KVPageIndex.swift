import Foundation

/// Scores pages by a structure of a head's keys of its own, where a vector or two a page
/// (``KVSelector/summary(_:)``) say too little: codes of single rows, or vectors of sentences.
public protocol KVIndexSelector: KVSelector {
    /// An empty index for one head of one sequence.
    func index() -> any KVPageIndex
}

/// What a ``KVIndexSelector`` knows of the full pages of one head. Used by one thread at a time.
public protocol KVPageIndex: AnyObject {
    /// Bytes that scoring reads.
    var bytes: Int { get }
    /// The share of keys that the last query was compared with; nil if all were, or their codes.
    var scanned: Double? { get }
    /// Takes the rows of the pages that follow: all of a prompt at once, then page by page.
    ///
    /// - Complexity: should be O(rows·dimension) but for the prompt.
    func add(_ rows: KVPageRows)
    /// Writes a score for each page that was added: the logarithm of the attention that its rows would
    /// have together, as far as it is told apart from others.
    ///
    /// - Parameters:
    ///   - query: a query, rotated by its position and scaled.
    ///   - position: the position of its token.
    ///   - scores: room for all pages.
    func score(_ query: [Float], at position: Int, into scores: UnsafeMutablePointer<Float>)
}

extension KVPageIndex {
    /// All.
    public var scanned: Double? { nil }
}

/// Rows of full pages for a ``KVPageIndex``.
public struct KVPageRows {
    /// The position of the first; the others follow it.
    public var first: Int
    /// Keys, rotated by their positions.
    public var keys: [[Float]]
    /// The rows' tokens; empty unless the selector asks for them.
    public var tokens: [Int32] = []
    /// The last tokens' queries of all query heads of the group; empty unless the selector asks for
    /// them, and behind a prompt.
    public var queries: [[Float]] = []

    /// Rows from a position on.
    public init(first: Int, keys: [[Float]]) { (self.first, self.keys) = (first, keys) }
}

extension KVIndexSelector {
    /// All layers choose.
    public var wholeLayers: Int { 0 }
    /// None: the index stands for pages.
    public var vectors: Int { 0 }
    /// None.
    public var outliers: Double { 0 }
    /// None.
    public func summary(_ keys: [[Float]]) -> KVPageSummary { KVPageSummary(vectors: []) }
}

/// Keys in a few bytes each, scored by tables: a byte stands for some neighbouring elements (product
/// quantization, Jégou et al. 2011).
struct KeyCodes {
    /// Bytes of a key.
    let parts: Int
    /// Codes of all rows, one behind the other.
    private(set) var codes: [UInt8] = []

    init(parts: Int) { self.parts = parts }

    mutating func append(_ code: [UInt8]) { codes += code }

    /// Scores of whole pages: of each the logarithm of the sum of its rows' exponentials.
    ///
    /// - Parameters:
    ///   - table: what each byte adds to a row's score, 256 of each part.
    /// - Complexity: O(rows·parts).
    func score(_ table: [Float], into scores: UnsafeMutablePointer<Float>) {
        let block = KVShape.blockTokens
        codes.withUnsafeBufferPointer { codes in
            table.withUnsafeBufferPointer { table in
                withUnsafeTemporaryAllocation(of: Float.self, capacity: block) { row in
                    for page in 0..<codes.count / parts / block {
                        var most = -Float.infinity
                        for r in 0..<block {
                            let start = (page * block + r) * parts
                            var sum: Float = 0
                            for part in 0..<parts { sum += table[part << 8 | Int(codes[start + part])] }
                            row[r] = sum
                            most = max(most, sum)
                        }
                        var total: Float = 0
                        // What is e⁻¹² of the highest changes nothing.
                        for r in 0..<block where row[r] > most - 12 { total += exp(row[r] - most) }
                        scores[page] = most + log(total)
                    }
                }
            }
        }
    }
}
