import Foundation
import MnemeModels
package import MnemeNumerics

/// The parameters of a training that several ranks share, and their gradients: which part is whose, and
/// what goes from one to another (ZeRO, Rajbhandari et al. 2020) [42].
///
/// Gradients are added up in the order of the ranks, so that all stages give the same bits. What a rank
/// does not have of the parameters (stage 3) or gradients (stages 2 and 3) has no memory but while its
/// layer is computed: pages are given back.
package final class SharedParameters {
    package let mesh: RankMesh
    let settings: RankSettings
    private let parameters: LowRankParameters
    /// Each rank's part; an empty one where matrices are fewer than ranks.
    let parts: [Range<Int>]
    /// What failed first in a pass, which cannot throw.
    private(set) var failure: (any Error)?
    /// The layer whose terms are here, in stage 3.
    private var held: Int?
    private var ring: RingAttention?

    init(_ mesh: RankMesh, _ settings: RankSettings, _ parameters: LowRankParameters, _ groups: ParameterGroups) {
        (self.mesh, self.settings, self.parameters) = (mesh, settings, parameters)
        parts = Self.parts(groups, mesh.count, of: parameters.count)
        if settings.stage > 1 { release(parameters.gradients, 0..<parameters.count, clears: true) }
        if settings.stage > 2 { release(parameters.values, 0..<parameters.count, clears: false) }
    }

    /// Each rank's part of so many parameters.
    static func parts(_ groups: ParameterGroups, _ ranks: Int, of count: Int) -> [Range<Int>] {
        (0..<ranks).map { $0 < groups.groups.count ? groups.groups[$0].range : count..<count }
    }

    /// This rank's part.
    var own: Range<Int> { parts[mesh.rank] }

    /// Attention over sequences of which each rank has a part.
    func ring(_ c: DecoderConfiguration) -> RingAttention {
        if let ring { return ring }
        let made = RingAttention(mesh, c) { [unowned self] in attempt($0) }
        ring = made
        return made
    }

    /// This rank's share of a batch: sequences, or a part of each. Sequences that leave a rank without a token
    /// are divided as they are.
    func share(of batch: TrainingBatch, _ base: [Float]) -> (TrainingBatch, [Float]) {
        let parts = SequenceParts(batch.sequences, ranks: mesh.count)
        let isSplit = settings.splits == .tokens && (0..<mesh.count).allSatisfy { parts.rows($0) > 0 }
        return isSplit
            ? batch.split(mesh.rank, of: mesh.count, base) : batch.part(mesh.rank, of: mesh.count, base)
    }

    /// Zeros in the part whose sum this rank has; in stage 1 in all of it.
    func clearGradients() {
        guard settings.stage > 1 else { return parameters.clearGradients() }
        (parameters.gradients.pointer + own.lowerBound).update(repeating: 0, count: own.count)
    }

    /// A layer is about to be computed: in stage 3 its terms come, and those of the one before go.
    func hold(_ layer: Int) {
        guard settings.stage > 2, !parameters.isOff, held != layer else { return }
        letGo()
        attempt { try gather(parameters.range(of: layer)) }
        held = layer
    }

    /// A layer's gradient is whole: from stage 2 on it goes to those who add it up.
    func finish(_ layer: Int) {
        guard settings.stage > 1 else { return }
        let range = parameters.range(of: layer)
        attempt { try reduce(range) }
        release(parameters.gradients, range, clears: true)
    }

    /// Behind a batch's passes: adds up what is left, and gives the sums of all ranks.
    ///
    /// - Throws: ``TrainingError`` if a rank is gone.
    func total(_ sums: LossSums) throws -> LossSums {
        if let failure { throw failure }
        if settings.stage == 1 { try reduce(0..<parameters.count) }
        let all = try mesh.total([sums.loss, sums.divergence])
        return (all[0], all[1])
    }

    /// The norm of all gradients.
    ///
    /// - Throws: ``TrainingError`` if a rank is gone.
    func norm() throws -> Double {
        let sum = own.reduce(0.0) {
            let g = Double(parameters.gradients.pointer[$1])
            return $0 + g * g
        }
        return try mesh.total([sum])[0].squareRoot()
    }

    /// Behind the update: in stages 1 and 2 all parts go to all; in stage 3 they go with their layers.
    ///
    /// - Throws: ``TrainingError`` if a rank is gone.
    func spread() throws {
        if settings.stage > 2 { letGo() } else { try gather(0..<parameters.count) }
    }

    /// The parameters as they are on all ranks, and all states one behind the other, on the first rank; on
    /// others what they send there is nothing to them.
    ///
    /// - Parameter sizes: of each rank's state.
    /// - Throws: ``TrainingError`` if a rank is gone.
    func collect(_ state: [UInt8], sizes: [Int]) throws -> (values: AlignedBuffer<Float>, state: [UInt8]) {
        let values = AlignedBuffer<Float>(mesh.rank == 0 ? parameters.count : 0)
        var states = Array(repeating: [UInt8](), count: mesh.count)
        states[mesh.rank] = state
        let mine = bytes(own, of: parameters.values) + state
        if mesh.rank == 0 {
            (values.pointer + own.lowerBound).update(
                from: parameters.values.pointer + own.lowerBound, count: own.count)
            // A route's own numbers are the same on all.
        }
        try mine.withUnsafeBytes { mine in
            let none = UnsafeRawBufferPointer(start: nil, count: 0)
            try mesh.exchange(
                { $0 == 0 ? mine : none },
                bytes: { [self] in mesh.rank == 0 ? 4 * parts[$0].count + sizes[$0] : 0 }
            ) { other, found in
                let floats = 4 * parts[other].count
                UnsafeMutableRawBufferPointer(start: values.pointer + parts[other].lowerBound, count: floats)
                    .copyBytes(from: found[..<floats])
                states[other] = Array(found[floats...])
            }
        }
        return (values, states.flatMap { $0 })
    }

    /// All parameters on all ranks, for good.
    ///
    /// - Throws: ``TrainingError`` if a rank is gone.
    func end() throws {
        try gather(0..<parameters.count)
        mesh.leave()
    }

    // MARK: What goes from one to another

    /// Each part of a range goes to all.
    private func gather(_ range: Range<Int>) throws {
        let mine = part(mesh.rank, range)
        let values = parameters.values.pointer
        let out = UnsafeRawBufferPointer(start: values + mine.lowerBound, count: 4 * mine.count)
        try mesh.exchange({ _ in out }, bytes: { [self] in 4 * part($0, range).count }) { other, found in
            UnsafeMutableRawBufferPointer(start: values + part(other, range).lowerBound, count: found.count)
                .copyBytes(from: found)
        }
    }

    /// Each part of a range's gradient goes to whose it is, and is added up there in the order of the ranks.
    private func reduce(_ range: Range<Int>) throws {
        let mine = part(mesh.rank, range)
        let gradients = parameters.gradients.pointer
        // Those of lower ranks come first.
        let own = Array(UnsafeBufferPointer(start: gradients + mine.lowerBound, count: mine.count))
        var isAdded = false
        func add(_ x: UnsafeBufferPointer<Float>, isFirst: Bool) {
            for i in 0..<mine.count {
                gradients[mine.lowerBound + i] = isFirst ? x[i] : gradients[mine.lowerBound + i] + x[i]
            }
        }
        func addOwn(isFirst: Bool) {
            own.withUnsafeBufferPointer { add($0, isFirst: isFirst) }
            isAdded = true
        }
        if mesh.rank == 0 { isAdded = true }
        var next = mesh.rank == 0 ? 1 : 0
        try mesh.exchange(
            { [self] in
                let part = part($0, range)
                return UnsafeRawBufferPointer(start: gradients + part.lowerBound, count: 4 * part.count)
            }, bytes: { _ in 4 * mine.count }
        ) { other, found in
            if other > mesh.rank, !isAdded { addOwn(isFirst: next == 0) }
            add(found.bindMemory(to: Float.self), isFirst: next == 0)
            next += 1
        }
        if !isAdded { addOwn(isFirst: next == 0) }
    }

    private func part(_ rank: Int, _ range: Range<Int>) -> Range<Int> { parts[rank].clamped(to: range) }

    private func bytes(_ range: Range<Int>, of buffer: AlignedBuffer<Float>) -> [UInt8] {
        Array(UnsafeRawBufferPointer(start: buffer.pointer + range.lowerBound, count: 4 * range.count))
    }

    private func attempt(_ body: () throws -> Void) {
        guard failure == nil else { return }
        do { try body() } catch { failure = error }
    }

    private func letGo() {
        if let held { release(parameters.values, parameters.range(of: held), clears: false) }
        held = nil
    }

    /// Gives back the whole pages of a range that are others'.
    ///
    /// - Parameter clears: what is left of pages that are not whole becomes zero, as the others do.
    private func release(_ buffer: AlignedBuffer<Float>, _ range: Range<Int>, clears: Bool) {
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        for rest in [
            range.lowerBound..<min(range.upperBound, max(range.lowerBound, own.lowerBound)),
            max(range.lowerBound, min(range.upperBound, own.upperBound))..<range.upperBound,
        ]
        where !rest.isEmpty {
            let (first, last) = (buffer.pointer + rest.lowerBound, buffer.pointer + rest.upperBound)
            let begin = padded(Int(bitPattern: first), page)
            let end = Int(bitPattern: last) / page * page
            guard begin < end else {
                if clears { first.update(repeating: 0, count: rest.count) }
                continue
            }
            madvise(UnsafeMutableRawPointer(bitPattern: begin), end - begin, MADV_DONTNEED)
            guard clears else { continue }
            first.update(repeating: 0, count: (begin - Int(bitPattern: first)) / 4)
            let behind = (Int(bitPattern: last) - end) / 4
            (last - behind).update(repeating: 0, count: behind)
        }
    }

    /// Bytes of a buffer that have memory, in whole pages.
    package static func residentBytes(_ buffer: AlignedBuffer<Float>) -> Int {
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let begin = Int(bitPattern: buffer.pointer) / page * page
        let pages = (padded(Int(bitPattern: buffer.pointer + buffer.count), page) - begin) / page
        var marks = [UInt8](repeating: 0, count: pages)
        guard mincore(UnsafeMutableRawPointer(bitPattern: begin), pages * page, &marks) == 0 else { return 0 }
        return marks.count { $0 & 1 == 1 } * page
    }
}

/// Weights by layers, with a layer's terms from the ranks that have them.
final class GatheredTerms: WeightPlacement {
    private let inner: any WeightPlacement
    private let shared: SharedParameters

    init(_ inner: any WeightPlacement, _ shared: SharedParameters) { (self.inner, self.shared) = (inner, shared) }

    func layer(_ index: Int, next: Int?) -> FrozenLayer {
        shared.hold(index)
        return inner.layer(index, next: next)
    }
}
