import Foundation
import MnemeKV
import MnemeModels

/// Keys and values that depend on all tokens up to their own, as a model's do.
enum Reference {
    static let shape = KVShape(layers: 2, heads: 2, dimension: 8)

    /// A number for each position.
    static func states(_ tokens: [Int32]) -> [UInt64] {
        var state: UInt64 = 1
        return tokens.map { token in
            state =
                (state &* 0x9e37_79b9_7f4a_7c15) ^ UInt64(UInt32(bitPattern: token))
                &* 0xbf58_476d_1ce4_e5b9
            state ^= state >> 29
            return state
        }
    }

    private static func value(_ state: UInt64, _ layer: Int, _ side: Int, _ element: Int) -> UInt16 {
        UInt16(
            truncatingIfNeeded: state >> UInt64(element)
                ^ UInt64(layer * 977 + side * 331 + element))
    }

    private static func each(
        _ session: KVCache.Session, _ position: Int,
        _ body: (UnsafeMutablePointer<UInt16>, Int, Int, Int) -> Void
    ) {
        let view = session.view
        for layer in 0..<shape.layers {
            for element in 0..<shape.kvSize {
                body(
                    view.keys + layer * view.layerStride + view.keyOffset(position) + element
                        * KVView.blockTokens,
                    layer, 0, element)
                let head = element / shape.dimension * shape.dimension * KVView.blockTokens
                let values =
                    view.values + layer * view.layerStride
                    + view.valueOffset(position, dimension: shape.dimension)
                    + head
                body(values + element % shape.dimension, layer, 1, element)
            }
        }
    }

    static func compute(_ session: KVCache.Session, _ tokens: [Int32], _ positions: Range<Int>) {
        let states = states(Array(tokens[..<positions.upperBound]))
        for p in positions { each(session, p) { $0.pointee = value(states[p], $1, $2, $3) } }
    }

    static func holds(
        _ session: KVCache.Session, _ tokens: [Int32], _ positions: Range<Int>,
        layers: Int = shape.layers
    ) -> Bool {
        let states = states(Array(tokens[..<positions.upperBound]))
        var isEqual = true
        for p in positions {
            each(session, p) {
                if $1 < layers, $0.pointee != value(states[p], $1, $2, $3) { isEqual = false }
            }
        }
        return isEqual
    }
}

/// A path that nothing is at yet.
func temporaryFolder() -> String {
    NSTemporaryDirectory() + "mneme-kv-\(UUID().uuidString)"
}

/// The first link of a model of that name.
func hash(_ name: String) -> KVHash {
    KVHash(
        String(repeating: "0", count: 62)
            + String(format: "%02x", name.utf8.reduce(0) { $0 &+ Int($1) } & 255))!
}
