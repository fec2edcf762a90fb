import MnemeModels
import MnemeNumerics

/// The rows of a head in their pages.
extension CompressedSequence {
    /// Frees pages and moves the table together.
    func dropPages(_ i: Int, _ range: Range<Int>) {
        let block = KVShape.blockTokens
        let table = heads[i].pages
        for page in range { free(table[page]) }
        for page in range.upperBound..<given[i] { table[page - range.count] = table[page] }
        given[i] -= range.count
        sealed[i] = max(0, sealed[i] - range.count)
        heads[i].count -= range.count * block
        positions[i].removeSubrange(range.lowerBound * block..<range.upperBound * block)
        if keepsOrigins { origins[i].removeSubrange(range.lowerBound * block..<range.upperBound * block) }
        loaded = nil
    }

    private func free(_ page: Int32) {
        if page < 0 { pages.free(~page, .codes) } else { pages.free(page, .halves) }
    }

    /// Copies a head's rows, as halves, to `scratch`: all, or those of the first pages.
    func load(_ i: Int, pages most: Int = .max) {
        let d = configuration.headDimension
        let part = KVShape.blockTokens * d
        for page in 0..<min(most, KVShape.blocks(positions[i].count)) {
            let keys = scratch.keys + page * part
            let values = scratch.values + page * part
            let place = heads[i].pages[page]
            if place < 0 {
                kernels.decodePage(
                    bits: codec.bits, pages.pointer(~place), dimension: d, keys: keys, values: values)
            } else {
                keys.update(from: pages.pointer(place), count: part)
                values.update(from: pages.pointer(place) + part, count: part)
            }
        }
        loaded = most == .max ? i : nil
    }

    /// Makes `scratch` the head's rows, from the page of row `first` on: all behind it, or so many
    /// pages.
    ///
    /// - Returns: false if there is no memory.
    @discardableResult
    func store(_ i: Int, _ rows: [Int32], from first: Int, pages most: Int = .max) -> Bool {
        let part = KVShape.blockTokens * configuration.headDimension
        let count = KVShape.blocks(rows.count)
        let start = first / KVShape.blockTokens
        loaded = nil
        while given[i] > max(count, start) {
            given[i] -= 1
            free(heads[i].pages[given[i]])
        }
        guard give(i, pages: count) else { return false }
        let end = most == .max ? count : min(count, start + most)
        for page in start..<max(start, end) {
            let memory = pages.pointer(heads[i].pages[page])
            memory.update(from: scratch.keys + page * part, count: part)
            (memory + part).update(from: scratch.values + page * part, count: part)
        }
        positions[i] = rows
        heads[i].count = rows.count
        if most == .max { sealed[i] = min(sealed[i], start) }
        return true
    }

    /// Encodes pages that are full.
    package func encode() {
        for i in positions.indices { encode(i) }
    }

    func encode(_ i: Int) {
        guard codec != .f16 || policy.coder != nil else { return }
        let block = KVShape.blockTokens
        let d = configuration.headDimension
        while (sealed[i] + 1) * block + residual <= positions[i].count {
            let page = sealed[i]
            let halves = pages.pointer(heads[i].pages[page])
            if page >= exactFrom[i] {
                // Within the budget.
            } else if page > 0, let coder = policy.coder {
                code(i, page: page, by: coder)
            } else if page > 0, codec.isPaged {
                // Without memory for codes, the page stays as it is until there is some.
                guard let new = pages.allocate(.codes) else { return }
                kernels.encodePage(
                    bits: codec.bits, keys: halves, values: halves + block * d, dimension: d,
                    into: pages.pointer(new))
                pages.free(heads[i].pages[page], .halves)
                heads[i].pages[page] = ~new
                loaded = nil
            } else if page > 0 {
                // A codec for files alone: what it loses is measured, its bytes are counted.
                codec.round(halves, dimension: d)
                loaded = nil
            }
            sealed[i] += 1
        }
    }
}
