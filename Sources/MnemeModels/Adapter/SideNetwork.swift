import MnemeBase
import MnemeFormats

/// A narrow network beside a frozen model (Quantized Side Tuning, Zhang et al. 2024) [197]: it reads the hidden
/// states behind each layer, and adds to the last one's before the output matrix. No gradient goes through the model.
///
/// Of a state h, of the hidden size d, with n = h / rms(h), layer i of width w has
///
///     u = (1 − β)·S·n + β·g        g: the layer before; S: fixed signs / √d, a projection that nobody learns
///     g = u + D·max(0, U·u)        U: 2w × w, D: w × 2w
///
/// and behind the last layer h + rms(h)·O·g goes on, O: d × w. At first D and O are zero, and nothing is changed.
/// Simpler than in the paper: its layers have attention of their own; here all of it is the model's.
public struct SideNetwork: Sendable, Equatable {
    /// The width w at most, and the numbers that S may be drawn by.
    public static let mostWidth = 4096, seeds = 0...(1 << 53)

    /// Where its numbers lie.
    public var sizes: SideSizes
    /// S is drawn by it.
    public var seed: Int
    /// All that is learned, in the order of ``SideSizes``.
    public var values: [Float]

    /// A network; ``Adapter/check(_:)`` tells whether it fits a model.
    public init(sizes: SideSizes, seed: Int, values: [Float]) {
        (self.sizes, self.seed, self.values) = (sizes, seed, values)
    }
}

/// The sizes of a side network, and where its numbers lie: of each layer U, D and β, then O, row after row.
public struct SideSizes: Sendable, Equatable {
    /// The model's hidden size and layers, and the network's width.
    public let hidden: Int, layers: Int, width: Int

    /// Sizes beside a model.
    public init(hidden: Int, layers: Int, width: Int) {
        (self.hidden, self.layers, self.width) = (hidden, layers, width)
    }

    /// Rows of U.
    package var wide: Int { 2 * width }
    private var layer: Int { 2 * wide * width + 1 }
    package func up(_ index: Int) -> Int { index * layer }
    package func down(_ index: Int) -> Int { index * layer + wide * width }
    package func mix(_ index: Int) -> Int { index * layer + 2 * wide * width }
    package var output: Int { layers * layer }
    /// All numbers.
    public var count: Int { output + hidden * width }
}

extension SideNetwork: AdapterContents {
    static let kind = "MNEME_SIDE"

    var parameters: Int { values.count }

    var settings: [OrderedJSON.Member] {
        [
            OrderedJSON.Member(key: "width", value: .number(String(sizes.width))),
            OrderedJSON.Member(key: "projection_seed", value: .number(String(seed))),
        ]
    }

    /// Tensors by name, with their places among the values.
    private static func places(_ sizes: SideSizes) -> [(name: String, shape: [Int], start: Int)] {
        (0..<sizes.layers).flatMap { layer in
            [
                ("side.layers.\(layer).up", [sizes.wide, sizes.width], sizes.up(layer)),
                ("side.layers.\(layer).down", [sizes.width, sizes.wide], sizes.down(layer)),
                ("side.layers.\(layer).mix", [1], sizes.mix(layer)),
            ]
        } + [("side.output", [sizes.hidden, sizes.width], sizes.output)]
    }

    var tensors: [SafetensorsWriter.Tensor] {
        Self.places(sizes).map { name, shape, start in
            SafetensorsWriter.Tensor(
                name, shape: shape, values: Array(values[start..<start + shape.reduce(1, *)]))
        }
    }

    init(_ files: AdapterFiles, for c: DecoderConfiguration) throws {
        sizes = SideSizes(
            hidden: c.hiddenSize, layers: c.layers, width: try files.number("width", in: 1...Self.mostWidth))
        seed = try files.number("projection_seed", in: Self.seeds)
        let places = Self.places(sizes)
        try files.requireOnly(Set(places.map(\.name)))
        values = []
        for (name, shape, _) in places { values += try files.floats(name, shape) }
    }

    func check(_ c: DecoderConfiguration) throws {
        guard (1...Self.mostWidth).contains(sizes.width), Self.seeds.contains(seed), sizes.hidden == c.hiddenSize,
            sizes.layers == c.layers, values.count == sizes.count
        else {
            throw AdapterError(
                .wrongBase,
                "The side network is not beside \(c.layers) layers of \(c.hiddenSize). It was made for another model.")
        }
        guard values.allSatisfy(\.isFinite) else {
            throw AdapterError(
                .invalidFile, "The side network holds a value that is not finite. Fetch or train it again.")
        }
    }
}
