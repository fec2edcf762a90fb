import Foundation
import Testing

/// The model that `make model` fetches. Tests that need it are skipped where it is absent.
enum ModelFixture {
    static let folder: String = {
        let home =
            ProcessInfo.processInfo.environment["MNEME_HOME"] ?? NSHomeDirectory() + "/.mneme"
        return home + "/models/all-MiniLM-L6-v2"
    }()
    static var isPresent: Bool {
        FileManager.default.fileExists(atPath: folder + "/model.safetensors")
    }

    static func golden(_ name: String) throws -> Data {
        let url = try #require(
            Bundle.module.url(forResource: name, withExtension: nil, subdirectory: "Golden"))
        return try Data(contentsOf: url)
    }
}
