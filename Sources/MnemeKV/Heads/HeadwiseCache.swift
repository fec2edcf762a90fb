import Foundation
public import MnemeModels

/// One sequence's KV cache on disk, of which two groups of heads are in memory at a time: while
/// attention reads one, the next one comes (HeadInfer, Luo et al. 2025).
///
/// So memory for keys and values does not grow with layers, only with the length of the text; each
/// token reads all of them. The logits are the same bits as with all rows in memory. Neither shared
/// nor kept, and not for use from several threads.
public final class HeadwiseCache {
    /// Key-value heads of a group.
    public let groupHeads: Int
    /// Tokens that are there.
    public private(set) var count = 0
    /// Tokens there is room for.
    public let capacity: Int
    /// Seconds that steps waited for rows.
    public private(set) var waitedSeconds = 0.0

    private let decoder: TransformerDecoder
    private let file: HeadwiseFile
    private let rows: UnsafeMutablePointer<KVHeadRows>
    private let tables: UnsafeMutablePointer<Int32>
    /// Groups of a layer, and of the model.
    private let layerGroups: Int, groups: Int
    /// The group that each slot has, or that is on its way there.
    private var held = [-1, -1]
    private let arrivals = [DispatchGroup(), DispatchGroup()]
    /// Tokens of the step that runs.
    private var added = 0

    /// - Parameters:
    ///   - decoder: the model that computes tokens.
    ///   - groupHeads: key-value heads of a group; more than a layer has are all of it.
    ///   - positions: the most tokens that will come.
    /// - Throws: ``KVError`` without memory or disk.
    public init(_ decoder: TransformerDecoder, groupHeads: Int, positions: Int) throws {
        let c = decoder.configuration
        self.decoder = decoder
        self.groupHeads = max(1, min(groupHeads, c.kvHeads))
        capacity = max(1, positions)
        layerGroups = (c.kvHeads + self.groupHeads - 1) / self.groupHeads
        groups = c.layers * layerGroups
        let pages = KVShape.blocks(capacity)
        file = try HeadwiseFile(
            heads: c.layers * c.kvHeads, headsPerSlot: self.groupHeads, pages: pages, dimension: c.headDimension)
        // Each place of a slot has a table of its own; heads that come there have it in common.
        tables = .allocate(capacity: 2 * self.groupHeads * pages)
        rows = .allocate(capacity: c.layers * c.kvHeads)
        let unit = 2 * KVHeadRows.pageUnit
        for slot in 0..<2 {
            for head in 0..<self.groupHeads {
                for page in 0..<pages {
                    let offset = file.offset(slot: slot, head: head) + page * file.pageBytes
                    tables[(slot * self.groupHeads + head) * pages + page] = Int32(clamping: offset / unit)
                }
            }
        }
        for layer in 0..<c.layers {
            for head in 0..<c.kvHeads {
                let group = layer * layerGroups + head / self.groupHeads
                let place = group % 2 * self.groupHeads + head % self.groupHeads
                (rows + layer * c.kvHeads + head).initialize(
                    to: KVHeadRows(pages: tables + place * pages, codeBits: 0))
            }
        }
    }

    deinit {
        file.drain()
        rows.deallocate()
        tables.deallocate()
    }

    /// Bytes of keys and values in memory when so many tokens are there: two groups of heads.
    ///
    /// - Parameters:
    ///   - configuration: the model's shape.
    ///   - groupHeads: key-value heads of a group.
    ///   - tokens: tokens that are there.
    public static func residentBytes(
        _ configuration: DecoderConfiguration, groupHeads: Int, tokens: Int
    ) -> Int {
        let size = max(1, min(groupHeads, configuration.kvHeads))
        let perLayer = (configuration.kvHeads + size - 1) / size
        let head = HeadwiseFile.rounded(
            KVShape.blocks(tokens) * HeadwiseFile.pageBytes(dimension: configuration.headDimension))
        // A slot has every second group, so that the last of each layer, which may be smaller, can be
        // all that one sees.
        let heads = (0..<2).map { slot in
            stride(from: slot, to: configuration.layers * perLayer, by: 2).map { group in
                min(size, configuration.kvHeads - group % perLayer * size)
            }.max() ?? 0
        }
        return heads.reduce(0, +) * head
    }

    /// Bytes of keys and values in memory, as the system counts them.
    public var residentBytes: Int { file.residentBytes }
    /// Bytes that were read from the disk, and written to it, when all that is under way has ended.
    public var transferred: (read: Int, written: Int) {
        file.drain()
        let done = file.done
        return (done.readBytes, done.writtenBytes)
    }
    /// Seconds of reading and writing; what steps did not wait for (``waitedSeconds``) was done while
    /// others were computed.
    public var transferSeconds: Double { file.done.seconds }

    /// Computes tokens behind those that are there.
    ///
    /// - Parameters:
    ///   - tokens: token ids; there is room for them.
    ///   - logits: `vocabularySize` floats, for the last token.
    /// - Throws: ``KVError`` if the disk fails or there is no room; the cache is of no use then.
    public func feed(_ tokens: [Int32], logits: UnsafeMutablePointer<Float>) throws {
        guard count + tokens.count <= capacity else {
            throw KVError(.outOfMemory, "There is room for \(capacity) tokens. Make a larger cache.")
        }
        let heads = decoder.configuration.layers * decoder.configuration.kvHeads
        let bringer = KVHeadGroups(
            size: groupHeads, bring: { [unowned self] in bring($1, of: $0) },
            release: { [unowned self] in release($1, of: $0) })
        for start in stride(from: 0, to: tokens.count, by: decoder.stepTokens) {
            let part = tokens[start..<min(tokens.count, start + decoder.stepTokens)]
            added = part.count
            for head in 0..<heads { rows[head].count = count }
            let keys = file.base.assumingMemoryBound(to: UInt16.self)
            var view = KVView(
                keys: keys, values: keys, layerStride: 0, blockStride: 0, heads: UnsafePointer(rows),
                capacity: capacity)
            view.groups = bringer
            withExtendedLifetime(bringer) {
                decoder.step(
                    DecoderSegment(
                        tokens: 0..<part.count, position: count, view: view,
                        logits: part.endIndex == tokens.count ? 1 : 0), part, logits)
            }
            count += part.count
            if let failure = file.done.failure { throw failure }
        }
    }

    /// Cuts the file off, as a disk that fails does; for tests.
    package func damage() { file.damage() }

    private func heads(of group: Int) -> Range<Int> {
        let kvHeads = decoder.configuration.kvHeads
        let first = group / layerGroups * kvHeads + group % layerGroups * groupHeads
        return first..<min(first + groupHeads, (group / layerGroups + 1) * kvHeads)
    }

    private func fetch(_ group: Int, tokens: Int) {
        held[group % 2] = group
        // Also of no rows: the slot is free once what it had is written.
        file.read(heads(of: group), pages: KVShape.blocks(tokens), into: group % 2, arrivals[group % 2])
    }

    private func bring(_ group: Int, of layer: Int) {
        let group = layer * layerGroups + group
        if held[group % 2] != group { fetch(group, tokens: count) }
        let start = ContinuousClock().now
        arrivals[group % 2].wait()
        waitedSeconds += (ContinuousClock().now - start) / .seconds(1)
    }

    /// Writes the new rows of a group; then the next one that its slot will have comes, at the end
    /// that of the next step.
    private func release(_ group: Int, of layer: Int) {
        let group = layer * layerGroups + group
        file.write(
            heads(of: group), pages: count / KVShape.blockTokens..<KVShape.blocks(count + added), from: group % 2)
        let next = group + 2 < groups ? group + 2 : group % 2
        guard next != group else { return }
        fetch(next, tokens: next > group ? count : count + added)
    }
}
