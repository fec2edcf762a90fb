import CMnemeKernels
import MnemeBase
import MnemeModels
import MnemeNumerics

/// Which procedures a training learns as tokens (TokMem, Wu et al. 2025) [61].
public struct ProcedureShape: Sendable, Equatable, Codable {
    /// All procedures, those of an earlier adapter first.
    public var names: [String]
    /// So many of them stay as they are.
    public var earlier = 0
    /// Tokens of each.
    public var tokensEach = 1
    /// The vocabulary's tokens of each one's name, which its rows begin at; nil begins all at the mean of all.
    package var words: [[Int32]]?

    /// Procedures that are all learned.
    public init(names: [String], tokensEach: Int = 1) { (self.names, self.tokensEach) = (names, tokensEach) }

    /// Rows of all, and those that stay.
    var rows: Int { names.count * tokensEach }
    var earlierRows: Int { earlier * tokensEach }

    /// The tokens of a procedure in a model with so many of its own.
    func tokens(of name: String, vocabulary: Int) -> [Int32] {
        guard let place = names.firstIndex(of: name) else { return [] }
        return (0..<tokensEach).map { Int32(vocabulary + place * tokensEach + $0) }
    }

    /// - Throws: ``TrainingError`` if there are none to learn, or their names are none.
    func check() throws {
        guard earlier < names.count, names.count <= ProcedureTokens.most,
            (1...ProcedureTokens.mostTokens).contains(tokensEach)
        else {
            throw TrainingError(
                .invalidSetting,
                "Learn 1 to \(ProcedureTokens.most) procedures that are not in the adapter that you start with, of 1 to \(ProcedureTokens.mostTokens) tokens."
            )
        }
        guard let bad = names.first(where: { !ProcedureTokens.isName($0) }) else { return }
        throw TrainingError(.invalidSetting, "'\(bad.prefix(120))' cannot name a procedure.")
    }
}

/// Procedures' rows among the parameters, behind all terms: those that are learned, then the earlier ones, which
/// no optimizer sees. A row is both an embedding and a column of the output matrix.
struct ProcedureRows {
    let shape: ProcedureShape
    /// Floats of a row, and tokens of the vocabulary.
    let hidden: Int, vocabulary: Int
    private let parameters: LowRankParameters

    init(_ shape: ProcedureShape, _ c: DecoderConfiguration, _ parameters: LowRankParameters) {
        (self.shape, hidden, vocabulary) = (shape, c.hiddenSize, c.vocabularySize)
        self.parameters = parameters
    }

    /// Rows of all procedures.
    var count: Int { shape.rows }

    /// Floats that are learned, and others.
    static func floats(_ shape: ProcedureShape, _ c: DecoderConfiguration) -> (learned: Int, others: Int) {
        ((shape.rows - shape.earlierRows) * c.hiddenSize, shape.earlierRows * c.hiddenSize)
    }

    /// Where a row lies among the parameters.
    private func offset(_ row: Int) -> Int {
        let learned = count - shape.earlierRows
        let place = row < shape.earlierRows ? learned + row : row - shape.earlierRows
        return parameters.extra + place * hidden
    }

    func row(_ index: Int) -> UnsafeMutablePointer<Float> { parameters.values.pointer + offset(index) }

    /// A token's row; nil for one of the vocabulary.
    func embedding(_ token: Int32) -> UnsafePointer<Float>? {
        Int(token) < vocabulary ? nil : UnsafePointer(row(Int(token) - vocabulary))
    }

    private func gradient(_ index: Int) -> UnsafeMutablePointer<Float>? {
        index < shape.earlierRows ? nil : parameters.gradients.pointer + offset(index)
    }

    /// Begins each procedure at the mean of its name's embeddings, or of all where it has no name's tokens; each row
    /// with a tenth of the way to a token's drawn by the seed: equal rows would learn equal things.
    func begin(_ embedding: StoredRows, seed: UInt64) {
        var one = [Float](repeating: 0, count: hidden)
        func read(_ token: Int) {
            one.withUnsafeMutableBufferPointer { embedding.row(token, into: $0.baseAddress!) }
        }
        func mean(_ tokens: some Collection<Int>) -> [Float] {
            var mean = [Float](repeating: 0, count: hidden)
            for token in tokens {
                read(token)
                for i in 0..<hidden { mean[i] += one[i] / Float(tokens.count) }
            }
            return mean
        }
        let words = shape.words ?? []
        func known(_ place: Int) -> [Int] {
            words.indices.contains(place) ? words[place].map(Int.init).filter { $0 < vocabulary } : []
        }
        let all = shape.names.indices.contains { known($0).isEmpty } ? mean(0..<vocabulary) : []
        var generator = SplitMix64(seed: SplitMix64.mixed(seed ^ 0x70_726f_6365_64))
        for index in 0..<count {
            let own = known(index / shape.tokensEach)
            let start = own.isEmpty ? all : mean(own)
            read(Int(generator.unit() * Double(vocabulary)))
            for i in 0..<hidden { row(index)[i] = start[i] + 0.1 * (one[i] - start[i]) }
        }
    }

    /// Gives learned rows the mean length of the earlier ones, so that no new procedure is chosen for being long.
    func renormalize() {
        guard shape.earlierRows > 0 else { return }
        func length(_ index: Int) -> Float {
            (0..<hidden).reduce(Float(0)) { $0 + row(index)[$1] * row(index)[$1] }.squareRoot()
        }
        let wanted = (0..<shape.earlierRows).reduce(Float(0)) { $0 + length($1) } / Float(shape.earlierRows)
        for index in shape.earlierRows..<count {
            let own = length(index)
            guard own > 0 else { continue }
            for i in 0..<hidden { row(index)[i] *= wanted / own }
        }
    }

    /// Logits of all rows for so many states, [states][count].
    func score(
        _ states: UnsafePointer<Float>, states number: Int, into logits: UnsafeMutablePointer<Float>,
        _ kernels: TrainingKernels
    ) {
        kernels.share(number) { mine in
            for s in mine {
                for index in 0..<count {
                    logits[s * count + index] = mnk_dot_f32(
                        kernels.features, row(index), states + s * hidden, hidden)
                }
            }
        }
    }

    /// Adds what the rows' logits have of the loss's gradient: to that of the states, and to the learned rows'.
    ///
    /// - Parameter logits: their gradient, [states][count].
    func addGradient(
        _ logits: UnsafePointer<Float>, states: (of: UnsafePointer<Float>, count: Int),
        to gradient: UnsafeMutablePointer<Float>, _ kernels: TrainingKernels
    ) {
        let (states, number) = states
        kernels.share(number) { mine in
            for s in mine {
                for index in 0..<count {
                    let g = logits[s * count + index]
                    for i in 0..<hidden { gradient[s * hidden + i] += g * row(index)[i] }
                }
            }
        }
        kernels.share(count) { mine in
            for index in mine {
                guard let to = self.gradient(index) else { continue }
                for s in 0..<number {
                    let g = logits[s * count + index]
                    for i in 0..<hidden { to[i] += g * states[s * hidden + i] }
                }
            }
        }
    }

    /// Adds the gradient of the first layer's input to the learned rows that stand in it.
    func addGradient(_ tokens: [Int32], stream: UnsafePointer<Float>) {
        for (t, token) in tokens.enumerated() where Int(token) >= vocabulary {
            guard let to = gradient(Int(token) - vocabulary) else { continue }
            for i in 0..<hidden { to[i] += stream[t * hidden + i] }
        }
    }

    /// What was learned so far, with the earlier ones.
    var tokens: ProcedureTokens {
        ProcedureTokens(
            names: shape.names, tokensEach: shape.tokensEach,
            rows: (0..<count).flatMap { Array(UnsafeBufferPointer(start: row($0), count: hidden)) })
    }

    /// Takes an earlier adapter's rows.
    ///
    /// - Throws: ``TrainingError`` if they are others than the ones that stay.
    func load(_ earlier: ProcedureTokens) throws {
        guard earlier.names == Array(shape.names.prefix(shape.earlier)), earlier.tokensEach == shape.tokensEach,
            earlier.rows.count == shape.earlierRows * hidden
        else {
            throw TrainingError(.wrongBase, "The adapter has other procedures than the ones that are to stay.")
        }
        for (i, value) in earlier.rows.enumerated() { row(i / hidden)[i % hidden] = value }
    }
}
