package import Foundation

/// A parameter of a statement.
package protocol PGEncodable {
    /// The bytes as PostgreSQL reads them.
    var encoded: PGParameter { get }
}

/// A parameter's bytes.
package struct PGParameter {
    /// In binary form, or as text.
    var bytes: [UInt8], isBinary = true

    /// An array's elements, as the text of an array.
    init(array elements: [String]) {
        var text = "{"
        for (i, element) in elements.enumerated() {
            if i > 0 { text += "," }
            text += "\""
            for character in element.unicodeScalars {
                if character == "\"" || character == "\\" { text += "\\" }
                text.unicodeScalars.append(character)
            }
            text += "\""
        }
        bytes = Array((text + "}").utf8)
        isBinary = false
    }

    /// Bytes in binary form.
    init(_ bytes: some Sequence<UInt8>) { self.bytes = Array(bytes) }

    /// A number, its highest byte first.
    init(bigEndian number: some FixedWidthInteger) {
        bytes = withUnsafeBytes(of: number.bigEndian) { Array($0) }
    }
}

extension String: PGEncodable { package var encoded: PGParameter { PGParameter(utf8) } }
extension Data: PGEncodable { package var encoded: PGParameter { PGParameter(self) } }
extension Int64: PGEncodable { package var encoded: PGParameter { PGParameter(bigEndian: self) } }
extension Int: PGEncodable { package var encoded: PGParameter { PGParameter(bigEndian: Int64(self)) } }
extension Double: PGEncodable { package var encoded: PGParameter { PGParameter(bigEndian: bitPattern) } }
extension Bool: PGEncodable { package var encoded: PGParameter { PGParameter(CollectionOfOne(self ? 1 : 0)) } }

/// An element of an array that is a parameter.
package protocol PGElement: CustomStringConvertible {}
extension String: PGElement {}
extension Int64: PGElement {}
extension Double: PGElement {}
extension Array: PGEncodable where Element: PGElement {
    package var encoded: PGParameter { PGParameter(array: map(\.description)) }
}

/// Several values of bytes as one parameter, `bytea[]`.
struct PGByteArrays: PGEncodable {
    /// As PostgreSQL sends and reads an array (`array_send`): its dimensions, whether it has NULLs, the
    /// type of its elements (`bytea`), their number and where they begin; and each with its length.
    let encoded: PGParameter

    /// The values, in their order.
    init(_ values: [Data]) {
        let header: [Int32] = values.isEmpty ? [0, 0, 17] : [1, 0, 17, Int32(values.count), 1]
        var bytes = header.flatMap { PGParameter(bigEndian: $0).bytes }
        for value in values { bytes += PGParameter(bigEndian: Int32(value.count)).bytes + value }
        encoded = PGParameter(bytes)
    }
}

/// Parameters of a statement; nil is NULL.
package typealias PGArguments = [(any PGEncodable)?]
