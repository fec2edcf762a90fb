/// Parity from which lost pieces are made again: of `data` pieces and `parity` more any `data` are enough (Reed
/// and Solomon 1960, with a Cauchy matrix as Blömer et al. 1995 have it).
package struct ErasureCode: Sendable, Equatable {
    /// Pieces that are kept as they are, and pieces of parity.
    package let data, parity: Int

    /// - Parameters:
    ///   - data: at least one.
    ///   - parity: with `data` 255 at most.
    package init(data: Int, parity: Int) {
        precondition(data > 0 && parity >= 0 && data + parity < 256, "A code has 1 to 255 pieces.")
        (self.data, self.parity) = (data, parity)
    }

    /// A piece's weight in a row of parity: 1 / (x + y) with all x and y distinct, so that every square part of
    /// the rows can be inverted.
    private func weight(_ row: Int, _ piece: Int) -> UInt8 { Field.inverse(UInt8(data + row) ^ UInt8(piece)) }

    /// A row of parity of pieces of one length.
    package func parity(_ row: Int, of pieces: [ArraySlice<UInt8>]) -> [UInt8] {
        var sum = [UInt8](repeating: 0, count: pieces.first?.count ?? 0)
        for (i, piece) in pieces.enumerated() { Field.add(weight(row, i), times: piece, to: &sum) }
        return sum
    }

    /// Makes lost pieces of data again.
    ///
    /// - Parameter pieces: all of them, data first; nil for those that are lost.
    /// - Returns: the pieces of data; nil if too many are lost.
    package func restored(_ pieces: [[UInt8]?]) -> [[UInt8]]? {
        let there = pieces.indices.filter { pieces[$0] != nil }.prefix(data)
        guard there.count == data else { return nil }
        // What the pieces that are there are of the data: rows of the identity and of parity.
        var matrix: [[UInt8]] = there.map { row in
            (0..<data).map { row < data ? (row == $0 ? 1 : 0) : weight(row - data, $0) }
        }
        var values = there.map { pieces[$0] ?? [] }
        for column in 0..<data {
            guard let pivot = (column..<data).first(where: { matrix[$0][column] != 0 }) else { return nil }
            matrix.swapAt(column, pivot)
            values.swapAt(column, pivot)
            let scale = Field.inverse(matrix[column][column])
            matrix[column] = matrix[column].map { Field.product(scale, $0) }
            values[column] = Field.product(scale, values[column])
            for row in 0..<data where row != column && matrix[row][column] != 0 {
                let factor = matrix[row][column]
                Field.add(factor, times: matrix[column][...], to: &matrix[row])
                Field.add(factor, times: values[column][...], to: &values[row])
            }
        }
        return values
    }

    /// The field of 256 numbers: sums are exclusive or, products those of polynomials modulo x⁸+x⁴+x³+x²+1.
    private enum Field {
        private static let powers: [UInt8] = {
            var (powers, x) = ([UInt8](), 1)
            for _ in 0..<510 {
                powers.append(UInt8(x))
                x <<= 1
                if x > 255 { x ^= 0x11d }
            }
            return powers
        }()
        private static let logarithms: [Int] = {
            var logarithms = [Int](repeating: 0, count: 256)
            for i in 0..<255 { logarithms[Int(powers[i])] = i }
            return logarithms
        }()

        static func product(_ a: UInt8, _ b: UInt8) -> UInt8 {
            a == 0 || b == 0 ? 0 : powers[logarithms[Int(a)] + logarithms[Int(b)]]
        }

        static func inverse(_ a: UInt8) -> UInt8 { powers[255 - logarithms[Int(a)]] }

        static func product(_ a: UInt8, _ b: [UInt8]) -> [UInt8] {
            var sum = [UInt8](repeating: 0, count: b.count)
            add(a, times: b[...], to: &sum)
            return sum
        }

        static func add(_ a: UInt8, times b: ArraySlice<UInt8>, to sum: inout [UInt8]) {
            let table = (0...255).map { product(a, UInt8($0)) }
            table.withUnsafeBufferPointer { table in
                b.withUnsafeBufferPointer { b in
                    sum.withUnsafeMutableBufferPointer { sum in
                        for i in b.indices { sum[i] ^= table[Int(b[i])] }
                    }
                }
            }
        }
    }
}
