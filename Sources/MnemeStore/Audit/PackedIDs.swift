import Foundation

/// Ids of cubes as bytes: the form that an audit entry is hashed and stored in.
enum PackedIDs {
    /// 16 bytes for each id.
    static func data(of cubes: [CubeID]) -> Data {
        var data = Data(capacity: cubes.count * 16)
        for cube in cubes {
            // A damaged store may hold ids that are none; they are left out here as they are
            // wherever they are read.
            guard !append(cube.description, to: &data) else { continue }
            if let uuid = UUID(uuidString: cube.description)?.uuid {
                withUnsafeBytes(of: uuid) { data.append(contentsOf: $0) }
            }
        }
        return data
    }

    /// Adds the bytes of an id as it is written here; Foundation takes ten times as long for one.
    ///
    /// - Returns: false for what is written otherwise.
    private static func append(_ id: String, to data: inout Data) -> Bool {
        var id = id
        return id.withUTF8 { text in
            guard text.count == 36 else { return false }
            return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 32) { digits in
                var count = 0
                for (place, byte) in text.enumerated() {
                    if place == 8 || place == 13 || place == 18 || place == 23 {
                        guard byte == UInt8(ascii: "-") else { return false }
                        continue
                    }
                    switch byte {
                    case UInt8(ascii: "0")...UInt8(ascii: "9"): digits[count] = byte - UInt8(ascii: "0")
                    case UInt8(ascii: "a")...UInt8(ascii: "f"): digits[count] = byte - UInt8(ascii: "a") + 10
                    default: return false
                    }
                    count += 1
                }
                for place in stride(from: 0, to: 32, by: 2) { data.append(digits[place] << 4 | digits[place + 1]) }
                return true
            }
        }
    }

    /// The ids of such bytes.
    static func ids(in data: Data) -> [CubeID] {
        stride(from: 0, to: data.count / 16 * 16, by: 16).map { start in
            var uuid = UUID().uuid
            withUnsafeMutableBytes(of: &uuid) {
                _ = data.copyBytes(
                    to: $0, from: data.startIndex + start..<data.startIndex + start + 16)
            }
            return CubeID(stored: UUID(uuid: uuid).uuidString.lowercased())
        }
    }
}
