import CMnemeKernels

/// Instruction sets that kernels may use.
///
/// Pass ``current`` for speed, or a subset to force a slower path (tests do).
public struct ProcessorFeatures: OptionSet, Sendable {
    /// The bits that the kernels are handed.
    public let rawValue: UInt32

    /// Features from their bits.
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// AVX2 with FMA.
    public static let avx2 = ProcessorFeatures(rawValue: MNK_AVX2)
    /// AVX-512 F, BW, DQ, VL.
    public static let avx512 = ProcessorFeatures(rawValue: MNK_AVX512)
    /// AVX-512 8-bit dot products.
    public static let avx512VNNI = ProcessorFeatures(rawValue: MNK_AVX512_VNNI)
    /// AMX 8-bit tiles.
    public static let amxInt8 = ProcessorFeatures(rawValue: MNK_AMX_INT8)
    /// AMX bfloat16 tiles: products of training.
    public static let amxBF16 = ProcessorFeatures(rawValue: MNK_AMX_BF16)
    /// The AMX code over tiles emulated in C: for tests. Part of ``current`` only if the
    /// environment's MNEME_CPU asks for it.
    public static let amxEmulated = ProcessorFeatures(rawValue: MNK_AMX_EMULATED)
    /// arm64: NEON, half precision, CRC-32C.
    public static let neon = ProcessorFeatures(rawValue: MNK_NEON)
    /// arm64: 8-bit dot products.
    public static let dotProduct = ProcessorFeatures(rawValue: MNK_DOTPROD)
    /// arm64: 8-bit matrix products.
    public static let int8Matrix = ProcessorFeatures(rawValue: MNK_I8MM)

    /// No instruction set beyond the platform's baseline: the reference path.
    public static let portable: ProcessorFeatures = []

    /// The instruction sets of this machine, detected once, and capped by MNEME_CPU where the
    /// environment has it: `portable`, `avx2`, `avx512`, `vnni`, and on arm64 `neon`, `dotprod` and
    /// `i8mm` leave all up to the one named, `amx-emulated` runs AMX's code over tiles emulated in
    /// C. Another value ends the process with status 2.
    ///
    /// All of them compute the same bits; the cap is there to show it, and to measure.
    public static let current = ProcessorFeatures(rawValue: mnk_cpu_features())

    /// The paths that kernels can take on this machine, each with all that it builds on; the
    /// fastest last.
    public static var machinePaths: [(name: String, features: ProcessorFeatures)] {
        let wide: ProcessorFeatures = [.avx2, .avx512, .avx512VNNI]
        let all: [(name: String, features: ProcessorFeatures)] = [
            ("portable", .portable), ("neon", .neon), ("dotprod", [.neon, .dotProduct]),
            ("i8mm", [.neon, .dotProduct, .int8Matrix]), ("avx2", .avx2),
            ("avx512", [.avx2, .avx512]), ("vnni", wide),
            ("amx", wide.union(.amxInt8)),
        ]
        return all.filter { $0.features.isSubset(of: .current) }
    }

    /// Names for people, the most basic first.
    public var names: [String] {
        let all: [(ProcessorFeatures, String)] = [
            (.avx2, "avx2"), (.avx512, "avx512"), (.avx512VNNI, "avx512-vnni"),
            (.amxInt8, "amx-int8"), (.amxBF16, "amx-bf16"),
            (.amxEmulated, "amx-emulated"), (.neon, "neon"), (.dotProduct, "dotprod"),
            (.int8Matrix, "i8mm"),
        ]
        return all.filter { contains($0.0) }.map(\.1)
    }
}

/// The format of weights and activations in a matrix product.
public enum Precision: String, Sendable, CaseIterable, Codable {
    /// Floats; or 8-bit integers with scales, exact in their sums.
    case f32, int8
}

/// The multiply-add rate of this machine, measured with register-only loops.
///
/// - Parameters:
///   - precision: which loop.
///   - pool: every thread of the pool runs the loop.
///   - seconds: how long to measure, roughly.
///   - features: instruction sets that the loop may use.
/// - Returns: operations (a multiply and an add count two) per second; nil where there is no such
///   instruction.
public func measuredPeak(
    _ precision: Precision, pool: ThreadPool, seconds: Double = 0.3,
    features: ProcessorFeatures = .current
) -> Double? {
    let kind: Int32 =
        switch precision {
        case .f32: 0
        case .int8: 1
        }
    let features = features.rawValue
    guard mnk_peak_operations(features, kind, 1) > 0 else { return nil }
    let clock = ContinuousClock()
    var best = 0.0
    let began = clock.now
    repeat {
        let start = clock.now
        pool.run { _, _ in _ = mnk_peak_operations(features, kind, 1_000_000) }
        let elapsed = (clock.now - start) / .seconds(1)
        best = max(
            best,
            mnk_peak_operations(features, kind, 1) * 1_000_000 * Double(pool.threadCount) / elapsed)
    } while (clock.now - began) / .seconds(1) < seconds
    return best
}

/// Bytes a second that the pool's threads read from memory that no cache holds: the best of some
/// passes.
///
/// - Parameters:
///   - pool: every thread of the pool reads a share.
///   - bytes: how much to read in a pass; taken from the system for the time of the measurement.
public func measuredBandwidth(pool: ThreadPool, bytes: Int = 1 << 29) -> Double {
    let features = ProcessorFeatures.current.rawValue
    let count = bytes / 256 * 256
    let memory = AlignedBuffer<UInt8>(count)
    memory.pointer.update(repeating: 1, count: count)
    let clock = ContinuousClock()
    var best = 0.0
    for _ in 0..<4 {
        let start = clock.now
        pool.run { thread, threads in
            let share = shareOf(count / 256, thread, threads)
            _ = mnk_read_memory(
                features, memory.pointer + share.lowerBound * 256, share.count * 256)
        }
        best = max(best, Double(count) / ((clock.now - start) / .seconds(1)))
    }
    return best
}
