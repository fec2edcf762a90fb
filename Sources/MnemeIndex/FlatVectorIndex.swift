import MnemeNumerics

/// Vectors by document number: an exact scan over 8-bit codes, with the float vectors for reranking.
///
/// A document may have no vector yet; its score is then zero.
public struct FlatVectorIndex: Sendable {
    /// Components of a vector.
    public let dimension: Int
    private var codes: Int8Matrix
    private var vectors: [Float] = []
    private var rows: [Int32] = []  // by document: its row, or −1
    private var documents: [Int32] = []  // by row: its document

    /// An empty index.
    public init(dimension: Int) {
        self.dimension = dimension
        codes = Int8Matrix(dimension: dimension)
    }

    /// Vectors held.
    public var count: Int { codes.count }
    /// Bytes held.
    public var byteCount: Int { codes.byteCount + vectors.count * 4 + (rows.count + documents.count) * 4 }

    /// Sets the vector of `document`.
    public mutating func set(_ vector: [Float], for document: Int) {
        precondition(vector.count == dimension, "The vector has \(vector.count) elements, the index \(dimension).")
        while rows.count <= document { rows.append(-1) }
        let row = Int(rows[document])
        if row >= 0 {
            codes.replace(row, with: vector)
            vectors.replaceSubrange(row * dimension..<(row + 1) * dimension, with: vector)
        } else {
            rows[document] = Int32(codes.count)
            documents.append(Int32(document))
            codes.append(vector)
            vectors.append(contentsOf: vector)
        }
    }

    /// Whether `document` has a vector.
    public func contains(_ document: Int) -> Bool { document < rows.count && rows[document] >= 0 }

    /// Inner products with every document, to 8 bits.
    public func scan(_ query: [Float], documentCount: Int) -> [Float] {
        precondition(query.count == dimension, "The query has \(query.count) elements, the index \(dimension).")
        var byRow = [Float](repeating: 0, count: codes.count), scores = [Float](repeating: 0, count: documentCount)
        codes.scan(query, rows: 0..<codes.count, into: &byRow)
        for (row, document) in documents.enumerated() where Int(document) < documentCount { scores[Int(document)] = byRow[row] }
        return scores
    }

    /// The exact inner product of the query with the normalised mean of some documents' vectors.
    public func similarity(_ query: [Float], toMeanOf group: [Int]) -> Float {
        withUnsafeTemporaryAllocation(of: Float.self, capacity: dimension) { sum in
            let sum = sum.baseAddress!
            sum.initialize(repeating: 0, count: dimension)
            var members = 0
            vectors.withUnsafeBufferPointer { vectors in
                for document in group where contains(document) {
                    let row = vectors.baseAddress! + Int(rows[document]) * dimension
                    for i in 0..<dimension { sum[i] += row[i] }
                    members += 1
                }
            }
            guard members > 0 else { return 0 }
            let norm = dotProduct(sum, sum, count: dimension).squareRoot()
            return norm > 0 ? query.withUnsafeBufferPointer { dotProduct($0.baseAddress!, sum, count: dimension) } / norm : 0
        }
    }
}
