import Foundation
public import MnemeEngine
import MnemeKV
import MnemeModels

/// Three ways to give a sequence its memory: `reserve` sets the whole context aside, `aliases` maps
/// blocks side by side as the engine does, `table` finds blocks through a table (PagedAttention,
/// Kwon et al. 2023).
///
/// Each is measured for what it wastes, for what a block costs, and for the speed of attention over
/// it.
public struct KVAllocationBenchmark: Sendable {
    /// The measurements of one way.
    public struct Row: Sendable, Codable {
        /// `reserve`, `aliases` or `table`.
        public var allocator: String
        /// Bytes of memory taken for the tokens, and how many of them hold nothing.
        public var bytes: Int, wastedBytes: Int
        /// To get memory for a block of 32 tokens: without touching it, and with.
        public var commitMicroseconds: Double, touchMicroseconds: Double
        /// The same with a block evicted from another text, emptied; 0 where there are no blocks.
        public var againMicroseconds: Double
        /// Prompt tokens a second, and answer tokens behind them.
        public var prefill: Double, decode: Double
    }

    /// - Parameters:
    ///   - model: whose decoder attends.
    ///   - tokens: of the prompt; 64 more are decoded behind it.
    ///   - repetitions: the best of them counts, in turns over the three ways.
    /// - Returns: `reserve`, `aliases`, `table`.
    /// - Throws: ``MnemeKV/KVError`` if there is no memory.
    public static func run(_ model: LanguageModel, tokens: Int, repetitions: Int) throws -> [Row] {
        let configuration = model.decoder.configuration
        let shape = KVShape(configuration)
        let total = tokens + 64
        let context = max(total, configuration.contextLength)
        let blocks = KVShape.blocks(total)
        var rows: [String: Row] = [:]
        // In turns, so that a change of the machine's speed meets all.
        for _ in 0..<repetitions {
            for name in ["reserve", "aliases", "table"] {
                // Memory of files and memory of the process alone are both counted.
                let before = ProcessMemory.bytes("RssAnon") + ProcessMemory.bytes("RssShmem")
                let owner: AnyObject
                let view: KVView
                var commit = 0.0
                var again: () throws -> Void = {}
                if name == "reserve" {
                    let buffer = try KVBuffer(configuration, positions: context)
                    (owner, view) = (buffer, buffer.view)
                } else {
                    let arena = try KVArena(
                        shape, bytes: 2 * blocks * shape.blockBytes,
                        addressing: name == "table" ? .table : .aliases)
                    let range = try arena.reserve(positions: context)
                    let start = ContinuousClock().now
                    for i in 0..<blocks {
                        // Every second, so that no two are mapped in one piece.
                        guard let block = arena.allocate(), arena.allocate() != nil else { break }
                        try range.map([block], at: i, writable: true)
                    }
                    commit = (ContinuousClock().now - start) / .seconds(1)
                    again = {
                        for i in 0..<blocks {
                            let block = Int(range.view.blocks![i])
                            arena.clear(block)
                            try range.map([block], at: i, writable: true)
                        }
                        _ = touch(range.view, shape, blocks: blocks)
                    }
                    (owner, view) = (range, range.view)
                }
                defer { withExtendedLifetime(owner) {} }
                let first = touch(view, shape, blocks: blocks)
                let speed = run(model, view, tokens)
                let taken =
                    ProcessMemory.bytes("RssAnon") + ProcessMemory.bytes("RssShmem") - before
                let row = rows[name]
                // The first time, blocks are seen in a place of their own besides.
                try again()
                let start = ContinuousClock().now
                try again()
                let second = name == "reserve" ? 0 : (ContinuousClock().now - start) / .seconds(1)
                rows[name] = Row(
                    allocator: name, bytes: taken, wastedBytes: taken - total * shape.tokenBytes,
                    commitMicroseconds: min(
                        row?.commitMicroseconds ?? .infinity, commit / Double(blocks) * 1e6),
                    touchMicroseconds: min(
                        row?.touchMicroseconds ?? .infinity, first / Double(blocks) * 1e6),
                    againMicroseconds: min(
                        row?.againMicroseconds ?? .infinity, second / Double(blocks) * 1e6),
                    prefill: max(row?.prefill ?? 0, speed.prefill),
                    decode: max(row?.decode ?? 0, speed.decode))
            }
        }
        return ["reserve", "aliases", "table"].compactMap { rows[$0] }
    }

    /// Writes a number into each page that the tokens will take, so that the system has to give it.
    ///
    /// - Returns: seconds.
    private static func touch(_ view: KVView, _ shape: KVShape, blocks: Int) -> Double {
        let start = ContinuousClock().now
        let step = Int(getpagesize()) / 2
        let rows = KVShape.blockTokens * shape.kvSize
        for layer in 0..<shape.layers {
            for block in 0..<blocks {
                let offset = layer * view.layerStride + view.keyOffset(block * KVShape.blockTokens)
                for i in stride(from: 0, to: rows, by: step) {
                    view.keys[offset + i] = 0
                    view.values[offset + i] = 0
                }
            }
        }
        return (ContinuousClock().now - start) / .seconds(1)
    }

    /// Prefills a prompt and decodes 64 tokens behind it.
    ///
    /// - Returns: tokens a second of each.
    private static func run(_ model: LanguageModel, _ view: KVView, _ length: Int) -> (
        prefill: Double, decode: Double
    ) {
        let decoder = model.decoder
        let size = decoder.configuration.vocabularySize
        let tokens = (0..<length).map { Int32($0 * 7 % size) }
        let logits = UnsafeMutablePointer<Float>.allocate(capacity: size)
        defer { logits.deallocate() }
        /// Computes some tokens at a position.
        func step(_ part: ArraySlice<Int32>, at position: Int) {
            part.withUnsafeBufferPointer { part in
                withUnsafePointer(
                    to: DecoderSegment(
                        tokens: 0..<part.count, position: position, view: view, logits: 1)
                ) {
                    decoder.step(
                        tokens: part, segments: UnsafeBufferPointer(start: $0, count: 1),
                        logits: logits)
                }
            }
        }
        let clock = ContinuousClock()
        let start = clock.now
        for position in stride(from: 0, to: length, by: decoder.stepTokens) {
            step(tokens[position..<min(length, position + decoder.stepTokens)], at: position)
        }
        let middle = clock.now
        for i in 0..<64 { step([Int32(i)], at: length + i) }
        return (
            Double(length) / ((middle - start) / .seconds(1)),
            64 / ((clock.now - middle) / .seconds(1))
        )
    }
}
