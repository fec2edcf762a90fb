/// Pre-tokenization rules: cut text into the pieces within which byte-level BPE merges, as
/// published tokenizers do it by a regular expression.
///
/// The rules of GPT-2 and its successors differ in few points, which are the properties of this
/// type. Written out by hand instead of run by a regular expression engine: the patterns look ahead
/// (`\s+(?!\S)`), and backtracking over long runs is not linear.
///
/// Works on Unicode scalars; complexity: linear. Letters and numbers are those of the general
/// categories L and N in the Unicode version of the Swift library: for characters of newer versions
/// it can differ from the version of the `tokenizers` library.
public struct PreTokenizer: Sendable, Equatable {
    /// Rules for runs of digits: a model learns arithmetic by how its training text was cut.
    public enum Digits: Sendable, Equatable {
        /// A whole run with a space before it, ` ?\p{N}+`: GPT-2.
        case run
        /// Each digit by itself, before all other rules: `Digits(individual_digits)` of the
        /// `tokenizers` library.
        case single
        /// Groups of at most n from the left, `\p{N}{1,n}`, never with a space: 3 in Llama 3, 1 in
        /// Qwen.
        case groups(Int)
    }

    /// Rule for runs of digits.
    public var digits: Digits
    /// Llama 3's rules: contractions of any case, `[^\r\n\p{L}\p{N}]?\p{L}+`, symbols with the
    /// newlines after them, whitespace up to newlines. Otherwise GPT-2's.
    public var modern: Bool

    /// GPT-2.
    public static let gpt2 = PreTokenizer(digits: .run, modern: false)
    /// SmolLM and others: GPT-2's rules after digits are cut out one by one.
    public static let smollm = PreTokenizer(digits: .single, modern: false)
    /// Llama 3.
    public static let llama3 = PreTokenizer(digits: .groups(3), modern: true)
    /// Qwen 2, 2.5 and 3.
    public static let qwen2 = PreTokenizer(digits: .groups(1), modern: true)

    /// Rules that GGUF's `tokenizer.ggml.pre` calls `name`; nil if they are not known. llama.cpp
    /// has names for many more; rules that only resemble known ones are refused.
    public init?(gguf name: String) {
        switch name {
        case "gpt-2": self = .gpt2
        case "smollm": self = .smollm
        case "llama-bpe": self = .llama3
        case "qwen2": self = .qwen2
        default: return nil
        }
    }

    /// Rules of both properties. Private: only combinations of published tokenizers exist.
    private init(digits: Digits, modern: Bool) {
        self.digits = digits
        self.modern = modern
    }

    /// Classes of scalars that the patterns tell apart. Newlines are CR and LF alone; other is what
    /// is neither letter, number nor whitespace, marks among them, as in `[^\s\p{L}\p{N}]`.
    private enum Kind: UInt8 { case letter, number, newline, space, other }

    /// Class of a scalar; ASCII, most of all text, needs no look-up of Unicode properties.
    private static func kind(_ scalar: Unicode.Scalar) -> Kind {
        switch scalar.value {
        case 10, 13: return .newline
        case 9, 11, 12, 32: return .space
        case 48...57: return .number
        case 65...90, 97...122: return .letter
        case 0..<128: return .other
        default: break
        }
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
            return .letter
        case .decimalNumber, .letterNumber, .otherNumber: return .number
        default: return scalar.properties.isWhitespace ? .space : .other
        }
    }

    /// Calls `body` with the UTF-8 of each piece, in order; the pieces together are the text.
    ///
    /// Classes, values and byte positions of all scalars are computed once: about 14 bytes of
    /// memory for a byte of ASCII text.
    public func pieces(_ text: some StringProtocol, _ body: (ArraySlice<UInt8>) -> Void) {
        var kinds: [Kind] = []
        var values: [UInt32] = []
        var starts: [Int] = []
        var bytes: [UInt8] = []
        for scalar in text.unicodeScalars {
            kinds.append(Self.kind(scalar))
            values.append(scalar.value)
            starts.append(bytes.count)
            bytes.append(contentsOf: UTF8.encode(scalar)!)
        }
        starts.append(bytes.count)
        func emit(_ range: Range<Int>) {
            if !range.isEmpty { body(bytes[starts[range.lowerBound]..<starts[range.upperBound]]) }
        }
        guard digits == .single else { return cut(0..<kinds.count, kinds, values, emit) }
        // The pieces between digits are cut as if each were a text of its own.
        var start = 0
        for i in kinds.indices where kinds[i] == .number {
            cut(start..<i, kinds, values, emit)
            emit(i..<i + 1)
            start = i + 1
        }
        cut(start..<kinds.count, kinds, values, emit)
    }

    /// Cuts a range of scalars: at each position the alternatives of the pattern are tried in their
    /// order, and the first that matches takes as much as it can. At least one scalar is taken each
    /// time, so that the loop ends.
    private func cut(
        _ range: Range<Int>, _ kinds: [Kind], _ values: [UInt32], _ emit: (Range<Int>) -> Void
    ) {
        let end = range.upperBound
        var i = range.lowerBound
        /// End of the run of matching classes that begins at `from`.
        func run(_ from: Int, _ matches: (Kind) -> Bool) -> Int {
            var j = from
            while j < end, matches(kinds[j]) { j += 1 }
            return j
        }
        func isBlank(_ kind: Kind) -> Bool { kind == .space || kind == .newline }
        while i < end {
            let contraction = contraction(at: i, end, values)
            if contraction > 0 {
                emit(i..<i + contraction)
                i += contraction
                continue
            }
            // A space (or, in the modern rules, any symbol) goes with the letters after it.
            let first = kinds[i]
            let next = i + 1 < end ? kinds[i + 1] : nil
            if first == .letter
                || next == .letter
                    && (modern ? first != .newline && first != .number : values[i] == 32)
            {
                let j = run(i + 1, { $0 == .letter })
                emit(i..<j)
                i = j
                continue
            }
            if modern {
                if first == .number {
                    var j = i
                    if case .groups(let size) = digits {
                        while j < end, j - i < size, kinds[j] == .number { j += 1 }
                    }
                    emit(i..<j)
                    i = j
                    continue
                }
            } else if first == .number || values[i] == 32 && next == .number {
                let j = run(i + 1, { $0 == .number })
                emit(i..<j)
                i = j
                continue
            }
            if first == .other || values[i] == 32 && next == .other {
                var j = run(i + 1, { $0 == .other })
                if modern { j = run(j, { $0 == .newline }) }
                emit(i..<j)
                i = j
                continue
            }
            // Whitespace: up to its last newline (modern), else all but the last, which goes with
            // what follows.
            let j = run(i, isBlank)
            if modern, let newline = (i..<j).last(where: { kinds[$0] == .newline }) {
                emit(i..<newline + 1)
                i = newline + 1
                continue
            }
            let stop = j < end && j - i > 1 ? j - 1 : j
            emit(i..<stop)
            i = stop
        }
    }

    /// Scalars of `'s`, `'t`, `'re`, `'ve`, `'m`, `'ll`, `'d` at `i`; 0 if there is none.
    private func contraction(at i: Int, _ end: Int, _ values: [UInt32]) -> Int {
        guard values[i] == 39, i + 1 < end else { return 0 }
        func lower(_ j: Int) -> UInt32 {
            guard j < end else { return 0 }
            let value = values[j]
            if modern, (65...90).contains(value) { return value + 32 }
            // ſ folds to s where case is ignored.
            return modern && value == 0x17f ? 115 : value
        }
        let a = lower(i + 1)
        let b = lower(i + 2)
        switch (a, b) {
        case (115, _), (116, _), (109, _), (100, _): return 2
        case (114, 101), (118, 101), (108, 108): return 3
        default: return 0
        }
    }
}
