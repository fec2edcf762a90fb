import Crypto
package import Foundation
import MnemeBase

/// Signatures of requests to S3 and to what speaks like it: AWS Signature Version 4.
package struct S3Signature: Sendable {
    /// Who asks.
    package var accessKey: String, secretKey: String
    /// The region that the signature is for.
    package var region: String

    /// A signature by a key pair.
    package init(accessKey: String, secretKey: String, region: String) {
        (self.accessKey, self.secretKey, self.region) = (accessKey, secretKey, region)
    }

    /// The value of `Authorization`.
    ///
    /// - Parameters:
    ///   - method: the HTTP method.
    ///   - target: path and query as they are sent, both encoded; the query's names are in order.
    ///   - headers: all headers that are signed, `host`, `x-amz-date` (whose time it is) and
    ///     `x-amz-content-sha256` among them.
    package func authorization(_ method: String, _ target: String, headers: [String: String]) -> String {
        let parts = target.split(separator: "?", maxSplits: 1)
        let signed = headers.map { (name: $0.key.lowercased(), value: $0.value) }.sorted { $0.name < $1.name }
        let names = signed.map(\.name).joined(separator: ";")
        func header(_ name: String) -> String { signed.first { $0.name == name }?.value ?? "" }
        let request = [
            method, String(parts[0]), parts.count > 1 ? String(parts[1]) : "",
            signed.map { "\($0.name):\($0.value.trimmingCharacters(in: .whitespaces))\n" }.joined(), names,
            header("x-amz-content-sha256"),
        ].joined(separator: "\n")
        let time = header("x-amz-date")
        let scope = "\(time.prefix(8))/\(region)/s3/aws4_request"
        let text = "AWS4-HMAC-SHA256\n\(time)\n\(scope)\n\(Self.digest(Data(request.utf8)))"
        let key = scope.split(separator: "/").reduce(Data("AWS4\(secretKey)".utf8)) { Self.mac(String($1), $0) }
        let signature = Hexadecimal.string(Self.mac(text, key))
        return "AWS4-HMAC-SHA256 Credential=\(accessKey)/\(scope),SignedHeaders=\(names),Signature=\(signature)"
    }

    /// SHA-256 in hexadecimal, as a body is named.
    package static func digest(_ data: Data) -> String { Hexadecimal.string(SHA256.hash(data: data)) }

    /// A time as signatures have it.
    package static func stamp(_ time: Date) -> String {
        let iso = time.formatted(.iso8601)
        return iso.filter { $0 != "-" && $0 != ":" }
    }

    /// Encodes all but the characters that RFC 3986 leaves as they are.
    ///
    /// - Parameter keepsSlash: true for a path.
    package static func encode(_ text: String, keepsSlash: Bool = false) -> String {
        text.utf8.reduce(into: "") { result, byte in
            let character = Character(UnicodeScalar(byte))
            let isPlain =
                byte < 0x80 && (character.isLetter || character.isNumber || "-._~".contains(character))
            if isPlain || keepsSlash && character == "/" {
                result.append(character)
            } else {
                result += "%" + Hexadecimal.string([byte]).uppercased()
            }
        }
    }

    private static func mac(_ text: String, _ key: Data) -> Data {
        Data(HMAC<SHA256>.authenticationCode(for: Data(text.utf8), using: SymmetricKey(data: key)))
    }
}
