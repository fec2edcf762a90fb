import Foundation

/// Ids of cubes as bytes: the form that an audit entry is hashed and stored in.
enum PackedIDs {
    /// 16 bytes for each id.
    static func data(of cubes: [CubeID]) -> Data {
        var data = Data(capacity: cubes.count * 16)
        for cube in cubes {
            // A damaged store may hold ids that are none; they are left out here as they are
            // wherever they are read.
            if let uuid = UUID(uuidString: cube.description)?.uuid {
                withUnsafeBytes(of: uuid) { data.append(contentsOf: $0) }
            }
        }
        return data
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
